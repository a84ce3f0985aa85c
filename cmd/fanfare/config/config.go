package config

import (
	"encoding/base64"
	"net"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
)

// Role is a part of the work that a process may take.
type Role string

// The roles.
const (
	Edge   Role = "edge"   // MQTT listeners
	API    Role = "api"    // HTTP
	Worker Role = "worker" // work that no request waits for
)

// Config is a checked set of settings.
type Config struct {
	Settings
	// Key is the decoded master key, or nil when it is to be made.
	Key []byte
	// Replicas is 0 for the lesser of 3 and the servers there are.
	Replicas int
	// LogShards is 0 for what the log has.
	LogShards int
	// Proxies are the networks of FANFARE_PROXY_FROM.
	Proxies []netip.Prefix
	// Connections is 0 for what the limit of open files allows.
	Connections int
	// LogBytes is LogMaxBytes; 0: no bound.
	LogBytes int64
	// RetentionDays is LogRetentionDays.
	RetentionDays int
	// AuditDays is AuditLogDays.
	AuditDays int
	// HalfOpen, HalfOpenPerAddress and FailedConnects are the numbers of their
	// settings.
	HalfOpen, HalfOpenPerAddress, FailedConnects int
	// KeepAlive is MaxKeepAlive in seconds; 0: none.
	KeepAlive int
	roles     []string
}

// Has reports whether the process plays the role.
func (c Config) Has(r Role) bool { return slices.Contains(c.roles, string(r)) }

// Clustered reports whether other processes may share the message log.
func (c Config) Clustered() bool { return c.NATSURL != "" }

// Defaults are the settings that nobody has set.
func Defaults() Settings {
	var s Settings
	v := reflect.ValueOf(&s).Elem()
	for _, setting := range Table(s) {
		v.FieldByName(setting.Field).SetString(setting.Default)
	}
	return s
}

// Check validates every setting by itself and then all of them together.
// The host name is the default of the node's name.
func (s Settings) Check(hostname string) (Config, error) {
	if err := checkEach(s); err != nil {
		return Config{}, err
	}
	if s.Node == "" {
		s.Node = nodeName(hostname)
	}
	c := Config{Settings: s, roles: list(s.Roles)}
	if s.MasterKey != "" {
		c.Key, _ = base64.StdEncoding.DecodeString(s.MasterKey) // checked above
	}
	if s.NATSReplicas != "" {
		c.Replicas, _ = strconv.Atoi(s.NATSReplicas) // checked above
	}
	if s.Shards != "" {
		c.LogShards, _ = strconv.Atoi(s.Shards) // checked above
	}
	c.numbers()
	for _, rule := range contradictions() {
		if rule.broken(c) {
			return Config{}, Wrong(rule.field, "%s", rule.problem)
		}
	}
	return c, checkDistinct(c)
}

// numbers decodes what checkEach has found to be well-formed.
func (c *Config) numbers() {
	c.Proxies, _ = networks(c.ProxyFrom)
	c.LogBytes, _ = byteSize(c.LogMaxBytes)
	for _, n := range []struct {
		to   *int
		from string
	}{
		{&c.Connections, c.MaxConnections},
		{&c.HalfOpen, c.MaxHalfOpen},
		{&c.HalfOpenPerAddress, c.MaxHalfOpenPerAddress},
		{&c.FailedConnects, c.MaxFailedConnects},
		{&c.KeepAlive, c.MaxKeepAlive},
		{&c.RetentionDays, c.LogRetentionDays},
		{&c.AuditDays, c.AuditLogDays},
	} {
		*n.to, _ = strconv.Atoi(n.from) // "" is 0
	}
}

// checkEach validates the fields of one of the table's structs.
func checkEach(of any) error {
	v := reflect.ValueOf(of)
	for _, s := range Table(of) {
		if err := s.Check(v.FieldByName(s.Field).String()); err != nil {
			return err
		}
	}
	return nil
}

// Validate checks what a client command was given.
func Validate(parts ...any) error {
	for _, part := range parts {
		if err := checkEach(part); err != nil {
			return err
		}
	}
	return nil
}

// nodeName turns a host name into a token of NATS subjects.
func nodeName(hostname string) string {
	name := regexp.MustCompile(`[^A-Za-z0-9_-]+`).ReplaceAllString(hostname, "-")
	if len(name) > maxNode {
		name = name[:maxNode]
	}
	if name == "" {
		return "fanfare"
	}
	return name
}

// find returns the server's setting with that field name.
func find(field string) Setting {
	table := Table(Settings{})
	return table[slices.IndexFunc(table, func(s Setting) bool { return s.Field == field })]
}

// checkDistinct refuses two listeners on one address; port 0 is a fresh one.
func checkDistinct(c Config) error {
	taken := map[string]Setting{}
	v := reflect.ValueOf(c.Settings)
	for _, s := range Table(c.Settings) {
		value := v.FieldByName(s.Field).String()
		if s.Kind != "address" || value == "" {
			continue
		}
		host, port, _ := net.SplitHostPort(value) // checked before
		if port == "0" {
			continue
		}
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			host = ""
		}
		address := net.JoinHostPort(host, port)
		if other, ok := taken[address]; ok {
			return s.errorf("is the same address as %s; change one of them", other)
		}
		taken[address] = s
	}
	return nil
}
