package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/cli"
)

// outcome is what a command has left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

// command runs one command to its end.
func command(t *testing.T, env []string, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := cli.Run(t.Context(), cli.Process{
		Args: args, Environ: env, Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr,
	})
	return outcome{code, stdout.String(), stderr.String()}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"no command", nil, nil, "expected one of"},
		{"unknown command", nil, []string{"server"}, "unexpected argument server"},
		{"unknown flag", nil, []string{"serve", "--mqtt-port", "1"}, "unknown flag --mqtt-port"},
		{"unknown variable", []string{"FANFARE_MQTTADDR=:1"}, []string{"serve"}, "did you mean FANFARE_MQTT_ADDR?"},
		{"unknown variable, client", []string{"FANFARE_MEMCACHE_URL=x"}, []string{"app", "list"}, "FANFARE_MEMCACHE_URL is no setting"},
		{"bad value", []string{"FANFARE_SYNC=never"}, []string{"serve"}, "FANFARE_SYNC (--sync) is \"never\": it must be interval or always"},
		{"the flag wins", []string{"FANFARE_SYNC=always"}, []string{"serve", "--sync=no"}, "is \"no\""},
		{"contradiction", nil, []string{"serve", "--nats-replicas=3"}, "FANFARE_NATS_URL"},
		{"MQTTS without certificate", []string{"FANFARE_MQTTS_ADDR=:8883"}, []string{"serve"}, "FANFARE_MQTTS_ADDR (--mqtts-addr) needs a certificate; set FANFARE_TLS_CERT and FANFARE_TLS_KEY"},
		{"WSS without certificate", nil, []string{"serve", "--wss-addr=:8084"}, "FANFARE_WSS_ADDR (--wss-addr) needs a certificate; set FANFARE_TLS_CERT and FANFARE_TLS_KEY"},
		{"proxies", nil, []string{"serve", "--proxy-from=balancer"}, "FANFARE_PROXY_FROM (--proxy-from)"},
		{"set to nothing", []string{"FANFARE_DATA="}, []string{"serve"}, "FANFARE_DATA (--data) is empty"},
		{"key of no app", []string{"FANFARE_TOKEN=x"}, []string{"key", "list"}, "FANFARE_APP"},
		{"key with an odd scope", []string{"FANFARE_TOKEN=x", "FANFARE_APP=chat"}, []string{"key", "create", "--scope=write"}, "--scope"},
		{"key with an end that is over", []string{"FANFARE_TOKEN=x", "FANFARE_APP=chat"}, []string{"key", "create", "--expires=-1h"}, "--expires"},
		{"no token", nil, []string{"app", "list"}, "FANFARE_TOKEN"},
		{"no API key", nil, []string{"token", "ana", "--app=chat"}, "FANFARE_API_KEY"},
		{"no app", nil, []string{"token", "ana"}, "FANFARE_APP"},
		{"push to nobody", nil, []string{"push", "t", "--app=chat", "--api-key=x"}, "push to whom?"},
		{"push to two", nil, []string{"push", "t", "--user=a", "--everyone"}, "can't be used together"},
		{"bad data", nil, []string{"push", "t", "--user=a", "--app=chat", "--api-key=x", "--data=[1]"}, "no JSON object"},
		{"no device token", nil, []string{"sub", "-t", "a/b"}, "FANFARE_DEVICE_TOKEN"},
		{"nothing to listen to", nil, []string{"sub", "-P", "x"}, "Give -t"},
		{"no password", nil, []string{"signup", "acme", "a@acme.example"}, "--password"},
		{"no file with a key", nil, []string{"signing-key", "create", "--app=chat", "--token=x", "--public-key=-"}, "must be a public key"},
		{"two keys", nil, []string{"signing-key", "create", "--public-key=a", "--secret-file=b"}, "can't be used together"},
		{"bad URL", []string{"FANFARE_URL=localhost"}, []string{"app", "list", "--token=x"}, "FANFARE_URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := command(t, tt.env, "", tt.args...)
			if got.code != 2 || got.stdout != "" {
				t.Errorf("exit code %d, output %q", got.code, got.stdout)
			}
			if !strings.HasPrefix(got.stderr, "fanfare: ") || !strings.Contains(got.stderr, tt.want) || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("stderr is %q, want one line with %q", got.stderr, tt.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	got := command(t, nil, "", "serve", "--help")
	if got.code != 0 || got.stderr != "" {
		t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
	}
	for _, want := range []string{"--mqtt-addr=\":1883\"", "$FANFARE_MQTT_ADDR", "--roles=\"edge,api,worker\"", "Empty: made in the data"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("help does not say %s", want)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if got := command(t, []string{"FANFARE_NONSENSE=1"}, "", "version"); got.code != 0 || !strings.HasPrefix(got.stdout, "fanfare ") {
		t.Errorf("got %+v", got)
	}
}

// request is what the fake API was asked.
type request struct {
	line, bearer string
	body         map[string]any
}

// fakeAPI answers one request with what the test says.
func fakeAPI(t *testing.T, status int, answer string) (url string, asked *request) {
	t.Helper()
	asked = &request{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.line, asked.bearer = r.Method+" "+r.URL.Path, r.Header.Get("Authorization")
		if r.Method == http.MethodPost {
			if err := json.NewDecoder(r.Body).Decode(&asked.body); err != nil {
				t.Error(err)
			}
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

// ed25519PEM is the public key of RFC 8037 §A.2.
const ed25519PEM = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"

func TestClientCommands(t *testing.T) {
	t.Parallel()
	const app = `{"id":"chat","name":"Chat","topic_prefix":"acme/chat","api_key":{"id":"key_1","secret":"ffk_s"},
		"signing_key":{"kid":"sk_1","alg":"HS256","secret":"hmac"},"endpoints":{"mqtt":"mqtt://h:1883","ws":"ws://h:8083"}}`
	tests := []struct {
		name, answer, stdin string
		args                []string
		line, body, bearer  string
		output              []string
	}{
		{
			name: "signup", answer: `{"organization":"acme","member":{"email":"a@b.c","role":"owner"},"token":"ffs_t"}`,
			stdin: "long enough\n", args: []string{"signup", "acme", "a@b.c"},
			line: "POST /v1/signup", body: `{"email":"a@b.c","organization":"acme","password":"long enough"}`,
			output: []string{"acme", "owner", "FANFARE_TOKEN=ffs_t"},
		},
		{
			name: "app create", answer: app, args: []string{"app", "create", "chat"},
			line: "POST /v1/apps", body: `{"id":"chat","name":"chat"}`, bearer: "Bearer ffs_e",
			output: []string{"ffk_s", "hmac", "sk_1", "mqtt://h:1883", "acme/chat/"},
		},
		{
			name: "app create as JSON", answer: app, args: []string{"app", "create", "chat", "--json"},
			line: "POST /v1/apps", body: `{"id":"chat","name":"chat"}`, bearer: "Bearer ffs_e",
			output: []string{`"secret": "ffk_s"`},
		},
		{
			name: "app list", answer: `{"items":[` + app + `]}`, args: []string{"app", "list"},
			line: "GET /v1/apps", body: `null`, bearer: "Bearer ffs_e",
			output: []string{"chat  Chat  acme/chat/#"},
		},
		{
			name: "key list", args: []string{"key", "list"},
			answer: `{"items":[{"id":"key_1","name":"Billing","scopes":["push","read"],"addresses":["192.0.2.0/24","::1"],"created_at":"2030-01-01T00:00:00Z",
				"expires_at":"2030-01-02T00:00:00Z","last_used_at":"2030-01-01T10:00:00.5Z","last_used_from":"192.0.2.7","replaced_by":"key_2"},
				{"id":"key_3","name":"","scopes":["push"],"addresses":[],"created_at":"2030-01-01T00:00:00Z"}]}`,
			line: "GET /v1/apps/chat/api-keys", body: `null`, bearer: "Bearer ffs_e",
			output: []string{
				"key_1  Billing  push,read  192.0.2.0/24,::1  2030-01-02 00:00:00Z  2030-01-01 10:00:00Z from 192.0.2.7  key_2",
				"key_3  -        push       anywhere          never                 never                                -",
			},
		},
		{
			name: "key create", answer: `{"id":"key_1","secret":"ffk_s"}`,
			args: []string{"key", "create", "Billing", "--scope=push", "--scope=read", "--from=192.0.2.0/24"},
			line: "POST /v1/apps/chat/api-keys", body: `{"addresses":["192.0.2.0/24"],"name":"Billing","scopes":["push","read"]}`,
			bearer: "Bearer ffs_e", output: []string{"key_1", "ffk_s"},
		},
		{
			name: "key rotate", args: []string{"key", "rotate", "key_1", "--overlap=90m"},
			answer: `{"api_key":{"id":"key_2","secret":"ffk_s"},"replaced":{"id":"key_1","expires_at":"2030-01-02T00:00:00Z"}}`,
			line:   "POST /v1/apps/chat/api-keys/key_1/rotate", body: `{"overlap_seconds":5400}`, bearer: "Bearer ffs_e",
			output: []string{"key_2 replaces key_1, which works until 2030-01-02 00:00:00Z", "ffk_s"},
		},
		{
			name: "signing-key list", args: []string{"signing-key", "list"},
			answer: `{"items":[{"kid":"sk_1","name":"Issuer","alg":"ES256","fingerprint":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
				"created_at":"2030-01-01T00:00:00Z","expires_at":"2030-01-02T00:00:00Z","last_used_at":"2030-01-01T10:00:00Z","replaced_by":"sk_2"},
				{"kid":"sk_3","name":"","alg":"HS256","created_at":"2030-01-01T00:00:00Z"}]}`,
			line: "GET /v1/apps/chat/signing-keys", body: `null`, bearer: "Bearer ffs_e",
			output: []string{
				"sk_1  Issuer  ES256  0123456789abcdef  2030-01-02 00:00:00Z  2030-01-01 10:00:00Z  sk_2",
				"sk_3  -       HS256  -                 never                 never                 -",
			},
		},
		{
			name: "signing-key create", args: []string{"signing-key", "create", "Ours"}, answer: `{"kid":"sk_1","alg":"HS256","secret":"hmac"}`,
			line: "POST /v1/apps/chat/signing-keys", body: `{"name":"Ours"}`, bearer: "Bearer ffs_e",
			output: []string{"sk_1 is ready for HS256", "hmac"},
		},
		{
			name: "signing-key create with a public key", args: []string{"signing-key", "create", "--public-key=-"},
			stdin:  ed25519PEM,
			answer: `{"kid":"sk_1","alg":"EdDSA"}`, line: "POST /v1/apps/chat/signing-keys",
			body: `{"public_key_pem":"` + strings.ReplaceAll(ed25519PEM, "\n", `\n`) + `"}`, bearer: "Bearer ffs_e",
			output: []string{"sk_1 is ready for EdDSA."},
		},
		{
			name: "signing-key create with a JWK", args: []string{"signing-key", "create", "--public-key=-"},
			stdin:  ` {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
			answer: `{"kid":"sk_1","alg":"EdDSA"}`, line: "POST /v1/apps/chat/signing-keys",
			body: `{"public_key_jwk":{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}`, bearer: "Bearer ffs_e",
			output: []string{"sk_1 is ready for EdDSA."},
		},
		{
			name: "signing-key create with a secret", args: []string{"signing-key", "create", "--secret-file=-"}, stdin: "our own secret\n",
			answer: `{"kid":"sk_1","alg":"HS256"}`, line: "POST /v1/apps/chat/signing-keys", body: `{"secret":"our own secret"}`, bearer: "Bearer ffs_e",
			output: []string{"sk_1 is ready for HS256."},
		},
		{
			name: "signing-key rotate", args: []string{"signing-key", "rotate", "sk_1", "--overlap=90m"},
			answer: `{"signing_key":{"kid":"sk_2","alg":"HS256","secret":"hmac"},"replaced":{"kid":"sk_1","expires_at":"2030-01-02T00:00:00Z"}}`,
			line:   "POST /v1/apps/chat/signing-keys/sk_1/rotate", body: `{"overlap_seconds":5400}`, bearer: "Bearer ffs_e",
			output: []string{"sk_2 for HS256 replaces sk_1, which is good until 2030-01-02 00:00:00Z", "hmac"},
		},
		{
			name: "signing-key delete", args: []string{"signing-key", "delete", "sk_1"},
			line: "DELETE /v1/apps/chat/signing-keys/sk_1", body: `null`, bearer: "Bearer ffs_e", output: []string{"sk_1 is gone."},
		},
		{
			name: "key rotate at once", args: []string{"key", "rotate", "key_1", "--overlap=0s"},
			answer: `{"api_key":{"id":"key_2","secret":"ffk_s"},"replaced":{"id":"key_1","expires_at":"2030-01-02T00:00:00Z"}}`,
			line:   "POST /v1/apps/chat/api-keys/key_1/rotate", body: `{"overlap_seconds":0}`, bearer: "Bearer ffs_e",
			output: []string{"ffk_s"},
		},
		{
			name: "key delete", answer: `{}`, args: []string{"key", "delete", "key_1", "--app=mail"},
			line: "DELETE /v1/apps/mail/api-keys/key_1", body: `null`, bearer: "Bearer ffs_e", output: []string{"key_1"},
		},
		{
			name: "token", answer: `{"token":"eyJ","expires_at":"2030-01-01T00:00:00Z"}`,
			args: []string{"token", "ana", "--device=phone", "--ttl=1h", "--tag=a", "--tag=b"},
			line: "POST /v1/apps/chat/tokens", body: `{"device":"phone","tags":["a","b"],"ttl_seconds":3600,"user":"ana"}`,
			bearer: "Bearer ffk_e", output: []string{"eyJ\n"},
		},
		{
			name: "push", answer: `{"id":"01J","topic":"acme/chat/users/ana"}`,
			args:   []string{"push", "Hi", "there", "--user=ana", `--data={"a":1}`, "--ttl=10m"},
			line:   "POST /v1/apps/chat/push",
			body:   `{"notification":{"body":"there","data":{"a":1},"title":"Hi"},"qos":1,"to":{"user":"ana"},"ttl_seconds":600}`,
			bearer: "Bearer ffk_e", output: []string{"01J", "acme/chat/users/ana"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url, asked := fakeAPI(t, http.StatusCreated, tt.answer)
			env := []string{"FANFARE_URL=" + url, "FANFARE_TOKEN=ffs_e", "FANFARE_API_KEY=ffk_e", "FANFARE_APP=chat"}
			got := command(t, env, tt.stdin, tt.args...)
			if got.code != 0 || got.stderr != "" {
				t.Fatalf("exit code %d: %s", got.code, got.stderr)
			}
			body, err := json.Marshal(asked.body)
			if err != nil || asked.line != tt.line || asked.bearer != tt.bearer || string(body) != tt.body {
				t.Errorf("asked %s as %q with %s", asked.line, asked.bearer, body)
			}
			for _, want := range tt.output {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("output lacks %q:\n%s", want, got.stdout)
				}
			}
		})
	}
}

func TestClientErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, answer string
		status       int
		want         string
	}{
		{
			"problem", `{"title":"Invalid request","detail":"the request is not valid","code":"invalid","errors":[{"pointer":"/id","detail":"too long"}]}`,
			422, "fanfare: the request is not valid (invalid)\n  id: too long\n",
		},
		{"title alone", `{"title":"Not found","code":"not_found"}`, 404, "fanfare: Not found (not_found)\n"},
		{"a proxy's page", `<html>`, 502, "fanfare: the server answers 502 Bad Gateway\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url, _ := fakeAPI(t, tt.status, tt.answer)
			got := command(t, nil, "", "app", "create", "chat", "--token=x", "--url="+url)
			if got.code != 1 || got.stderr != tt.want {
				t.Errorf("exit code %d, stderr %q, want %q", got.code, got.stderr, tt.want)
			}
		})
	}
	t.Run("no server", func(t *testing.T) {
		t.Parallel()
		got := command(t, nil, "", "app", "list", "--token=x", "--url=http://127.0.0.1:1")
		if got.code != 1 || !strings.HasPrefix(got.stderr, "fanfare: no answer from http://127.0.0.1:1: ") {
			t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
		}
	})
	t.Run("something else", func(t *testing.T) {
		t.Parallel()
		url, _ := fakeAPI(t, http.StatusOK, "<html>")
		got := command(t, nil, "", "app", "list", "--token=x", "--url="+url)
		if got.code != 1 || !strings.Contains(got.stderr, "does not answer like Fanfare's API") {
			t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
		}
	})
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	code := cli.Run(ctx, cli.Process{
		Args: []string{"sub", "-P", "x", "-t", "a/b", "--url", "tcp://127.0.0.1:1"}, Stdin: strings.NewReader(""), Stdout: &stderr, Stderr: &stderr,
	})
	if code != 1 {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}
