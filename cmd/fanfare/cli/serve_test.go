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
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/cli"
)

// This test counts goroutines, so it runs while no other does.
func TestStopsCleanly(t *testing.T) {
	before := runtime.NumGoroutine()
	s := serve(t, serveArgs(t.TempDir())...)
	acme := found(t, s, "acme")
	phone := acme.user(t, "phone-1", "ana")
	phone.expect(t, acme.push(t, "ana", "Hello"))
	if code := s.stop(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	select {
	case <-phone.lost:
	case <-time.After(patience):
		t.Error("the device's connection outlives the server")
	}
	http.DefaultClient.CloseIdleConnections()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
		case <-deadline.C:
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}

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
	aFile := filepath.Join(spoilt, "master.key")
	tests := []struct {
		name, want string
		args       []string
	}{
		{"MQTT port taken", "address already in use", serveArgs(t.TempDir(), "--mqtt-addr", taken.Addr().String())},
		{"HTTP port taken", "address already in use", serveArgs(t.TempDir(), "--http-addr", taken.Addr().String())},
		{"spoilt key file", "does not hold 32 bytes", serveArgs(spoilt)},
		{"the folder is a file", "FANFARE_DATA", serveArgs(aFile)},
		{"no certificate", "TLS certificate", serveArgs(t.TempDir(), "--mqtts-addr", "127.0.0.1:0", "--tls-cert", aFile, "--tls-key", aFile)},
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
		{s.places["API"] + "/readyz", ""},
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
	for line := range strings.Lines(stderr.String()) {
		if !strings.HasPrefix(line, "{") {
			t.Errorf("no JSON: %s", line)
		}
	}
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
