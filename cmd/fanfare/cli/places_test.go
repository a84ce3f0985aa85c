package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/cli"
)

// checkReady wants a log in JSON with one line that says where everything is.
func checkReady(t *testing.T, log string, keys ...string) map[string]string {
	t.Helper()
	var urls map[string]string
	for line := range strings.Lines(log) {
		var entry struct {
			Msg  string
			URLs map[string]string
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("no JSON: %s", line)
		}
		if entry.Msg == "ready" {
			urls = entry.URLs
		}
	}
	for _, key := range keys {
		if u, err := url.Parse(urls[key]); err != nil || u.Scheme == "" || u.Port() == "" {
			t.Errorf("%s is at %q", key, urls[key])
		}
	}
	return urls
}

// Where nobody has chosen a format and there is no terminal, the log is JSON
// and the start still says where to go next, with the right docs.
func TestTellsWhereToGoNext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stderr, stdout := &syncBuffer{}, &stopAt{text: "Ctrl-C", stop: cancel}
	docs := make(chan int, 1)
	stdout.before = func() {
		status, _ := get(t, regexp.MustCompile(`docs +(\S+)`).FindStringSubmatch(stdout.String())[1])
		docs <- status
	}
	args := serveArgs(t.TempDir(), "--log-format", "auto", "--log-level", "info", "--admin-addr", "127.0.0.1:0")
	code := cli.Run(ctx, cli.Process{Name: "bin/my fanfare", Args: args, Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr})
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if status := <-docs; status != http.StatusOK {
		t.Errorf("the docs answer %d", status)
	}
	urls := checkReady(t, stderr.String(), "http", "admin", "docs")
	for _, want := range []string{
		"  docs     " + urls["docs"] + "\n", urls["admin"] + "/docs\n", "  API      " + urls["http"] + "\n",
		"  export FANFARE_URL=" + urls["admin"] + "\n  'bin/my fanfare' signup acme you@example.com ",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is not in:\n%s", want, stdout)
		}
	}
}

// stopAt stops a server when it writes a text.
type stopAt struct {
	syncBuffer
	text         string
	before, stop func()
}

func (s *stopAt) Write(p []byte) (int, error) {
	n, err := s.syncBuffer.Write(p)
	if bytes.Contains(p, []byte(s.text)) {
		s.before()
		s.stop()
	}
	return n, err
}

// A node without an edge does not say that it listens for devices.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want string // with the ports as P
	}{
		{"edge", nil, `{"api":"http://127.0.0.1:P","mqtt":"mqtt://127.0.0.1:P","ws":"ws://127.0.0.1:P/mqtt"}`},
		{"no edge", []string{"--roles", "api,worker"}, `{"api":"http://127.0.0.1:P"}`},
		{
			"no edge, public",
			[]string{"--roles", "api", "--public-mqtt-url", "mqtts://push.example.com", "--public-ws-url", "ws://push.example.com/mqtt"},
			`{"api":"http://127.0.0.1:P","mqtts":"mqtts://push.example.com","ws":"ws://push.example.com/mqtt"}`,
		},
		{
			"TLS", append([]string{"--mqtts-addr", "127.0.0.1:0", "--wss-addr", "127.0.0.1:0", "--ws-addr", ""}, certificate(t)...),
			`{"api":"http://127.0.0.1:P","mqtt":"mqtt://127.0.0.1:P","mqtts":"mqtts://127.0.0.1:P","wss":"wss://127.0.0.1:P/mqtt"}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			acme := found(t, serve(t, serveArgs(t.TempDir(), tt.args...)...), "acme")
			endpoints, err := json.Marshal(acme.app.Endpoints)
			if err != nil {
				t.Fatal(err)
			}
			if got := regexp.MustCompile(`0\.1:\d+`).ReplaceAllString(string(endpoints), "0.1:P"); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// certificate makes one for this machine, and returns the flags that name it.
func certificate(t *testing.T) []string {
	t.Helper()
	certFile, keyFile := keyPair(t)
	return []string{"--tls-cert", certFile, "--tls-key", keyFile}
}
