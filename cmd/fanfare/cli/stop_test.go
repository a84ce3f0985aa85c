package cli_test

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
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

// An unfinished request, half a header and a silent connection end with the
// server, which ends well and soon.
func TestStopsWithoutItsClients(t *testing.T) {
	t.Parallel()
	stop := func(t *testing.T, sends string) time.Duration {
		s := serve(t, serveArgs(t.TempDir())...)
		c, err := net.Dial("tcp", strings.TrimPrefix(s.places["API"], "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := io.WriteString(c, sends); err != nil {
			t.Fatal(err)
		}
		get(t, s.places["API"]+"/healthz") // accepted after c: c is known by now
		start := time.Now()
		if code := s.stop(t); code != 0 {
			t.Errorf("exit code %d:\n%s", code, s.stderr)
		}
		if strings.Contains(s.stderr.String(), "level=ERROR") {
			t.Errorf("errors:\n%s", s.stderr)
		}
		return time.Since(start)
	}
	const head = "POST /v1/signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
	for name, c := range map[string]struct {
		sends  string
		within time.Duration
	}{
		"a body that does not end":   {head + "\r\n{", 8 * time.Second},
		"a header that does not end": {head, 8 * time.Second},
		"nothing":                    {"", 3 * time.Second}, // far less, but for a busy machine
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if took := stop(t, c.sends); took > c.within {
				t.Errorf("stopped after %v", took)
			}
		})
	}
}
