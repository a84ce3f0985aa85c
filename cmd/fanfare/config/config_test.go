package config_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

func TestTableIsComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range config.Table(config.Settings{}) {
		want := config.Prefix + strings.ToUpper(strings.ReplaceAll(s.Flag, "-", "_"))
		if s.Var != want {
			t.Errorf("--%s goes with %s, want %s", s.Flag, s.Var, want)
		}
		if s.Group == "" || s.Help == "" || !strings.HasSuffix(s.Help, ".") {
			t.Errorf("%s: a setting has a group and a sentence of help", s)
		}
		if s.Default == "" && s.Empty == "" {
			t.Errorf("%s: neither a default nor a meaning of empty", s)
		}
	}
	for _, s := range slices.Concat(config.Table(config.Settings{}), config.ClientTable()) {
		if seen[s.Var] {
			t.Errorf("%s stands in the table twice", s.Var)
		}
		seen[s.Var] = true
		if s.Form() == "" {
			t.Errorf("%s has no form", s)
		}
		if s.Default != "" {
			if err := s.Check(s.Default); err != nil {
				t.Errorf("the default is refused: %v", err)
			}
		}
	}
}

func TestDefaultsAreFine(t *testing.T) {
	t.Parallel()
	cfg, err := config.Defaults().Check("host.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Node != "host-example-com" {
		t.Errorf("node is %q, want a token of NATS subjects", cfg.Node)
	}
	if !cfg.Has(config.Edge) || !cfg.Has(config.API) || !cfg.Has(config.Worker) || cfg.Clustered() || cfg.Key != nil {
		t.Errorf("unexpected defaults: %+v", cfg)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	s := config.Defaults()
	s.ProxyFrom, s.MaxConnections = "192.0.2.1, 2001:db8::/32", "7"
	cfg, err := s.Check("host")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(cfg.Proxies); got != "[192.0.2.1/32 2001:db8::/32]" {
		t.Errorf("proxies: %s", got)
	}
	if cfg.Connections != 7 || cfg.HalfOpen != 50_000 || cfg.HalfOpenPerAddress != 25_000 || cfg.FailedConnects != 100 {
		t.Errorf("got %d, %d, %d, %d", cfg.Connections, cfg.HalfOpen, cfg.HalfOpenPerAddress, cfg.FailedConnects)
	}
}

func TestNodeName(t *testing.T) {
	t.Parallel()
	for hostname, want := range map[string]string{
		"":                       "fanfare",
		"vm1":                    "vm1",
		"a.b*c>d e\x00":          "a-b-c-d-e-",
		strings.Repeat("x", 100): strings.Repeat("x", 64),
	} {
		cfg, err := config.Defaults().Check(hostname)
		if err != nil || cfg.Node != want {
			t.Errorf("host %q gives node %q (%v), want %q", hostname, cfg.Node, err, want)
		}
	}
}

func key(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }

func TestCheck(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const nats, postgres = "nats://127.0.0.1:4222", "postgres://u:hunter2@127.0.0.1/db"
	tests := []struct {
		name   string
		change func(*config.Settings)
		// setting and hint must be in the error; an empty setting means none.
		setting, hint string
	}{
		{"port 0 twice", func(s *config.Settings) { s.HTTPAddr, s.MQTTAddr = ":0", ":0" }, "", ""},
		{"several NATS servers", func(s *config.Settings) { s.NATSURL = nats + ", tls://other:4222" }, "", ""},
		{"cluster", func(s *config.Settings) {
			s.NATSURL, s.NATSReplicas, s.PostgresURL, s.MasterKey = nats, "3", postgres, key(32)
		}, "", ""},
		{"TLS", func(s *config.Settings) { s.TLSCert, s.TLSKey, s.MQTTSAddr = file, file, ":8883" }, "", ""},
		{"no edge but an MQTT address", func(s *config.Settings) { s.Roles, s.MQTTAddr = "api,worker", ":1884" }, "", ""},
		{"worker alone", func(s *config.Settings) { s.Roles, s.HTTPAddr = "worker", "" }, "", ""},
		{"WebSocket alone", func(s *config.Settings) { s.MQTTAddr = "" }, "", ""},

		{"proxies", func(s *config.Settings) { s.ProxyFrom = "10.0.0.0/8, 192.0.2.1,2001:db8::/32,::1" }, "", ""},
		{"bounds", func(s *config.Settings) { s.MaxConnections, s.MaxHalfOpen = "1", "1" }, "", ""},

		{"log size", func(s *config.Settings) { s.LogMaxBytes = "20 GiB" }, "", ""},
		{"log size in bytes", func(s *config.Settings) { s.LogMaxBytes = "1048576" }, "", ""},
		{"above the wall", func(s *config.Settings) { s.OperatorAcross, s.OperatorOrg = "on", "ops" }, "", ""},
		{"nobody above the wall", func(s *config.Settings) { s.OperatorAcross = "on" }, "FANFARE_OPERATOR_ACROSS", "FANFARE_OPERATOR_ORG"},
		{"no retention", func(s *config.Settings) { s.LogRetentionDays = "0" }, "FANFARE_LOG_RETENTION_DAYS", "from 1 to 3650"},
		{"small log", func(s *config.Settings) { s.LogMaxBytes = "1023KiB" }, "FANFARE_LOG_MAX_BYTES", "1MiB"},
		{"huge log", func(s *config.Settings) { s.LogMaxBytes = "9999999999TiB" }, "FANFARE_LOG_MAX_BYTES", "1MiB"},
		{"log of another unit", func(s *config.Settings) { s.LogMaxBytes = "20GB" }, "FANFARE_LOG_MAX_BYTES", "GiB"},

		{"empty data", func(s *config.Settings) { s.Data = "" }, "FANFARE_DATA", "unset it"},
		{"sync", func(s *config.Settings) { s.Sync = "sometimes" }, "FANFARE_SYNC", "interval or always"},
		{"signup", func(s *config.Settings) { s.Signup = "yes" }, "FANFARE_SIGNUP", "open or closed"},
		{"role", func(s *config.Settings) { s.Roles = "edge,broker" }, "FANFARE_ROLES", `there is no "broker"`},
		{"no role", func(s *config.Settings) { s.Roles = "," }, "FANFARE_ROLES", "names no role"},
		{"log level", func(s *config.Settings) { s.LogLevel = "loud" }, "FANFARE_LOG_LEVEL", "debug or info"},
		{"log format", func(s *config.Settings) { s.LogFormat = "xml" }, "FANFARE_LOG_FORMAT", "auto or text or json"},
		{"address", func(s *config.Settings) { s.MQTTAddr = "1883" }, "FANFARE_MQTT_ADDR", "host:port"},
		{"port", func(s *config.Settings) { s.WSAddr = ":80830" }, "FANFARE_WS_ADDR", "65535"},
		{"redis", func(s *config.Settings) { s.NATSURL, s.RedisURL = nats, "rediss://:hunter2@h:6380/1" }, "", ""},
		{"redis scheme", func(s *config.Settings) { s.NATSURL, s.RedisURL = nats, "h:6379/hunter2" }, "FANFARE_REDIS_URL", "redis://"},
		{"redis without nats", func(s *config.Settings) { s.RedisURL = "redis://:hunter2@h" }, "FANFARE_REDIS_URL", "FANFARE_NATS_URL"},
		{"postgres scheme", func(s *config.Settings) { s.PostgresURL = "mysql://h/d" }, "FANFARE_POSTGRES_URL", "postgres://"},
		{"nats scheme", func(s *config.Settings) { s.NATSURL = "localhost:4222" }, "FANFARE_NATS_URL", "nats://"},
		{"short key", func(s *config.Settings) { s.MasterKey = key(31) }, "FANFARE_MASTER_KEY", "openssl rand -base64 32"},
		{"no base64", func(s *config.Settings) { s.MasterKey = strings.Repeat("?", 44) }, "FANFARE_MASTER_KEY", "openssl"},
		{"node", func(s *config.Settings) { s.Node = "a.b" }, "FANFARE_NODE", "letters"},
		{"slug", func(s *config.Settings) { s.OperatorOrg = "Acme" }, "FANFARE_OPERATOR_ORG", "lower case"},
		{"public URL", func(s *config.Settings) { s.PublicWSURL = "https://x" }, "FANFARE_PUBLIC_WS_URL", "ws://"},
		{"no such file", func(s *config.Settings) { s.TLSCert, s.TLSKey = file+"x", file }, "FANFARE_TLS_CERT", "cannot read"},
		{"shards", func(s *config.Settings) { s.Shards = "1025" }, "FANFARE_SHARDS", "1 to 1024"},
		{"replicas", func(s *config.Settings) { s.NATSURL, s.NATSReplicas = nats, "6" }, "FANFARE_NATS_REPLICAS", "1 to 5"},

		{"proxy name", func(s *config.Settings) { s.ProxyFrom = "10.0.0.1,balancer" }, "FANFARE_PROXY_FROM", `"balancer" is neither`},
		{"proxy mask", func(s *config.Settings) { s.ProxyFrom = "10.0.0.1/8" }, "FANFARE_PROXY_FROM", "10.0.0.0/8"},
		{"no connections", func(s *config.Settings) { s.MaxConnections = "0" }, "FANFARE_MAX_CONNECTIONS", "from 1"},
		{"keep alive", func(s *config.Settings) { s.MaxKeepAlive = "65535" }, "", ""},
		{"no keep alive", func(s *config.Settings) { s.MaxKeepAlive = "0" }, "FANFARE_MAX_KEEP_ALIVE", "from 1 to 65535"},
		{"drain to", func(s *config.Settings) { s.DrainTo = "a.example b.example:1883" }, "", ""},
		{"drain nowhere", func(s *config.Settings) { s.DrainTo = "mqtt://a.example" }, "FANFARE_DRAIN_TO", "port"},
		{"half-open", func(s *config.Settings) { s.MaxHalfOpen = "many" }, "FANFARE_MAX_HALF_OPEN", "number"},
		{"half-open unset", func(s *config.Settings) { s.MaxHalfOpenPerAddress = "" }, "FANFARE_MAX_HALF_OPEN_PER_ADDRESS", "25000"},
		{"failed connects", func(s *config.Settings) { s.MaxFailedConnects = "-1" }, "FANFARE_MAX_FAILED_CONNECTS", "from 1"},

		{"postgres without key", func(s *config.Settings) { s.PostgresURL = postgres }, "FANFARE_POSTGRES_URL", "FANFARE_MASTER_KEY"},
		{"creds without nats", func(s *config.Settings) { s.NATSCreds = file }, "FANFARE_NATS_CREDS", "FANFARE_NATS_URL"},
		{"replicas without nats", func(s *config.Settings) { s.NATSReplicas = "1" }, "FANFARE_NATS_REPLICAS", "FANFARE_NATS_URL"},
		{"certificate without key", func(s *config.Settings) { s.TLSCert = file }, "FANFARE_TLS_CERT", "FANFARE_TLS_KEY"},
		{"key without certificate", func(s *config.Settings) { s.TLSKey = file }, "FANFARE_TLS_KEY", "FANFARE_TLS_CERT"},
		{"MQTTS without certificate", func(s *config.Settings) { s.MQTTSAddr = ":8883" }, "FANFARE_MQTTS_ADDR", "FANFARE_TLS_CERT"},
		{"WSS without certificate", func(s *config.Settings) { s.WSSAddr = ":8084" }, "FANFARE_WSS_ADDR", "FANFARE_TLS_CERT"},
		{"edge without address", func(s *config.Settings) { s.MQTTAddr, s.WSAddr = "", "" }, "FANFARE_ROLES", "FANFARE_MQTT_ADDR"},
		{"api without address", func(s *config.Settings) { s.HTTPAddr = "" }, "FANFARE_HTTP_ADDR", "FANFARE_ROLES"},
		{"admin on the HTTP address", func(s *config.Settings) { s.AdminAddr = "0.0.0.0:8080" }, "FANFARE_ADMIN_ADDR", "FANFARE_HTTP_ADDR"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := config.Defaults()
			tt.change(&s)
			_, err := s.Check("host")
			if tt.setting == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var wrong *config.Error
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v, want an error about %s", err, tt.setting)
			}
			if !strings.HasPrefix(wrong.Setting, tt.setting+" ") || !strings.Contains(err.Error(), tt.hint) {
				t.Errorf("%q names not %s or does not say %q", err, tt.setting, tt.hint)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q is more than one line, or shows a secret", err)
			}
		})
	}
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	for variable, hint := range map[string]string{
		"FANFARE_FOO":          "is no setting of Fanfare; unset it",
		"FANFARE_DAT":          "did you mean FANFARE_DATA?",
		"FANFARE_NODES":        "did you mean FANFARE_NODE?",
		"FANFARE_DATA":         "",
		"FANFARE_API_KEY":      "",
		"FANFARE_TEST_REDIS":   "",
		"MQTT_ADDR":            "",
		"FANFARE_MQTTADDR":     "did you mean FANFARE_MQTT_ADDR?",
		"FANFARE_REDIS_URL":    "",
		"FANFARE_MEMCACHE_URL": "is no setting of Fanfare",
		"FANFARE_PROXY_FORM":   "did you mean FANFARE_PROXY_FROM?",
		"FANFARE_":             "is no setting of Fanfare; unset it",
		"FANFARE_NATS_REPLICA": "did you mean FANFARE_NATS_REPLICAS?",
	} {
		err := config.ParseEnviron([]string{"PATH=/bin", variable + "=x=y"}).CheckNames()
		switch {
		case hint == "" && err != nil:
			t.Errorf("%s: %v", variable, err)
		case hint != "" && (err == nil || !strings.HasPrefix(err.Error(), variable+" ") || !strings.Contains(err.Error(), hint)):
			t.Errorf("%s: got %v, want %q", variable, err, hint)
		}
	}
}

func TestParseEnviron(t *testing.T) {
	t.Parallel()
	env := config.ParseEnviron([]string{"A=1", "B=", "C=x=y", "broken"})
	if len(env) != 3 || env["A"] != "1" || env["C"] != "x=y" {
		t.Errorf("got %v", env)
	}
	if _, set := env["B"]; !set {
		t.Error("a variable set to nothing is set")
	}
}
