package cli_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/cli"
)

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	first := serve(t, serveArgs(folder)...)
	acme := found(t, first, "acme")
	token := acme.token(t, "ana")
	info, err := os.Stat(filepath.Join(folder, "master.key"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("master.key: %v, %v", info, err)
	}
	first.stop(t)

	acme = acme.at(serve(t, serveArgs(folder)...))
	phone := acme.dial(t, "phone-1", token)
	if err := phone.Subscribe(t.Context(), "acme/chat/users/ana/#", 1); err != nil {
		t.Fatal(err)
	}
	phone.expect(t, acme.push(t, "ana", "Hello again"))
}

func TestOneProcessPerFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	serve(t, serveArgs(folder)...)
	got := command(t, nil, "", serveArgs(folder, "--node", "two")...)
	if got.code != 1 || !strings.Contains(got.stderr, "another process is using "+folder) {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}

func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	spoilt := t.TempDir()
	if err := os.WriteFile(filepath.Join(spoilt, "master.key"), []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, want string
		args       []string
	}{
		{"MQTT port taken", "address already in use", serveArgs(t.TempDir(), "--mqtt-addr", taken.Addr().String())},
		{"HTTP port taken", "address already in use", serveArgs(t.TempDir(), "--http-addr", taken.Addr().String())},
		{"spoilt key file", "does not hold 32 bytes", serveArgs(spoilt)},
		{"no certificate", "TLS certificate", serveArgs(t.TempDir(), "--mqtts-addr", "127.0.0.1:0", "--tls-cert", filepath.Join(spoilt, "master.key"), "--tls-key", filepath.Join(spoilt, "master.key"))},
		{"no PostgreSQL", "database", serveArgs(t.TempDir(), "--postgres-url", "postgres://u@127.0.0.1:1/d", "--master-key", masterKey())},
		{"no NATS", "message log", serveArgs(t.TempDir(), "--nats-url", "nats://127.0.0.1:1")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := command(t, nil, "", tt.args...)
			last := got.stderr[strings.LastIndex(strings.TrimSuffix(got.stderr, "\n"), "\n")+1:]
			if got.code != 1 || !strings.HasPrefix(last, "fanfare: ") || !strings.Contains(last, tt.want) {
				t.Errorf("exit code %d, last line %q, want %q", got.code, last, tt.want)
			}
		})
	}
}

// What turns out to be a wrong setting is exit code 2 and one line.
func TestSettingsThatFail(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	alone := nats(t)
	tests := []struct {
		name, want string
		args       []string
	}{
		{"the folder is a file", `FANFARE_DATA (--data) is "` + file + `": not a directory; set it`, serveArgs(file)},
		{"the folder is below a file", "FANFARE_DATA (--data) is ", serveArgs(filepath.Join(file, "data"))},
		{
			"more replicas than servers", "FANFARE_NATS_REPLICAS (--nats-replicas) is 3: NATS has not as many servers",
			serveArgs(t.TempDir(), "--nats-url", alone, "--nats-replicas", "3", "--log-level", "info"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := command(t, nil, "", tt.args...)
			lines := strings.Split(strings.TrimSuffix(got.stderr, "\n"), "\n")
			last := lines[len(lines)-1]
			if got.code != 2 || !strings.HasPrefix(last, "fanfare: "+tt.want) || strings.Contains(last, "err_code") {
				t.Errorf("exit code %d, last line %q, want %q", got.code, last, tt.want)
			}
			if strings.Contains(got.stderr, "msg=stopping") {
				t.Errorf("stops what has not started:\n%s", got.stderr)
			}
		})
	}
}

func TestAnotherMasterKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	serve(t, serveArgs(folder)...).stop(t)
	other := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	if got := command(t, nil, "", serveArgs(folder, "--master-key", other)...); got.code != 1 || !strings.Contains(got.stderr, "master key") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}

func TestHealthAndMetrics(t *testing.T) {
	t.Parallel()
	s := serve(t, serveArgs(t.TempDir())...)
	acme := found(t, s, "acme")
	acme.user(t, "phone-1", "ana")
	for _, page := range []struct{ url, want string }{
		{s.places["metrics"] + "/healthz", "ok"},
		{s.places["metrics"] + "/readyz", "ok"},
		{s.places["metrics"] + "/metrics", "fanfare_mqtt_connections 1"},
		{s.places["API"] + "/healthz", ""},
		{s.places["API"] + "/readyz", `"components":{"http":"ok","mqtt":"ok","nats":"ok","store":"ok"}`},
		{s.places["API"] + "/openapi.yaml", "openapi: "},
		{s.places["docs"], "<"},
	} {
		status, body := get(t, page.url)
		if status != http.StatusOK || !strings.Contains(body, page.want) {
			t.Errorf("%s: %d, want %q in:\n%.2000s", page.url, status, page.want, body)
		}
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestJSONLogs(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &logUntilReady{ready: cancel}
	var stdout bytes.Buffer
	code := cli.Run(ctx, cli.Process{
		Args: serveArgs(t.TempDir(), "--log-format", "json"), Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: stderr,
	})
	if code != 0 || stdout.Len() != 0 {
		t.Errorf("exit code %d, stdout %q", code, stdout.String())
	}
	checkReady(t, stderr.String(), "http", "docs", "mqtt", "ws", "metrics")
}

// logUntilReady is a log that interrupts the server when it says that it is ready.
type logUntilReady struct {
	syncBuffer
	ready func()
}

func (l *logUntilReady) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(`"msg":"ready"`)) {
		defer l.ready()
	}
	return l.syncBuffer.Write(p)
}

func TestFolderIsPrivate(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "data")
	serve(t, serveArgs(folder)...).stop(t)
	info, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may enter the data folder: %v", info.Mode())
	}
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".new") {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func masterKey() string { return base64.StdEncoding.EncodeToString(make([]byte, 32)) }
