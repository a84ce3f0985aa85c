package egress_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/fanfare-mq/fanfare/egress"
	"github.com/fanfare-mq/fanfare/fault"
)

// get returns the status and the body, or how it failed.
func get(t *testing.T, c *egress.Client, url string) (int, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// wantRefused checks that a call was refused, in the words for a tenant.
func wantRefused(t *testing.T, what string, err error, says string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != fault.Invalid || !strings.Contains(f.Message, says) {
		t.Errorf("%s: %v, want %q", what, err, says)
	}
}

func roots(s *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// serve starts a TLS server that counts its requests.
func serve(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	return s, &n
}

func hello(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }

func TestThisMachineIsRefused(t *testing.T) {
	s, n := serve(t, hello)
	plain := httptest.NewServer(http.HandlerFunc(hello))
	defer plain.Close()
	c := egress.New(egress.Config{RootCAs: roots(s)})
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1"} {
		_, _, err := get(t, c, "https://"+host+":"+port)
		if err == nil {
			t.Errorf("%s: it answers", host)
		}
	}
	_, _, err := get(t, c, s.URL)
	wantRefused(t, "https", err, "not public")
	if strings.Contains(fmt.Sprint(errors.AsType[*fault.Error](err)), port) {
		t.Error("the fault tells where it leads")
	}
	_, _, err = get(t, c, plain.URL)
	wantRefused(t, "http", err, "https://")
	if n.Load() != 0 {
		t.Error("it was asked")
	}
}

func TestPrivate(t *testing.T) {
	s, _ := serve(t, hello)
	plain := httptest.NewServer(http.HandlerFunc(hello))
	defer plain.Close()
	c := egress.New(egress.Config{RootCAs: roots(s), Private: true})
	defer c.Close()
	for _, url := range []string{s.URL, plain.URL} {
		if status, body, err := get(t, c, url); status != 200 || body != "hello" || err != nil {
			t.Errorf("%s: %d %q %v", url, status, body, err)
		}
	}
	for _, url := range []string{"http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "https://169.254.169.254/", "https://[fd00:ec2::254]/", "https://0.0.0.0/"} {
		_, _, err := get(t, c, url)
		wantRefused(t, url, err, "not public")
	}
	for _, url := range []string{"ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/"} {
		_, _, err := get(t, c, url)
		wantRefused(t, url, err, "https://")
	}
	_, _, err := get(t, c, strings.Replace(s.URL, "https://", "https://user:secret@", 1))
	wantRefused(t, "credentials", err, "credentials")
	if _, _, err := get(t, egress.New(egress.Config{Private: true}), s.URL); err == nil {
		t.Error("an unknown authority is trusted")
	}
}

// names is a DNS server whose answers the test gives.
type names struct {
	mu      sync.Mutex
	answers map[string][][]netip.Addr // of each name, one answer after the other; the last one stays
}

// resolver returns one that asks it alone.
func (n *names) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			size, from, err := socket.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply, ok := n.reply(buf[:size]); ok {
				socket.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
}

func (n *names) reply(question []byte) ([]byte, bool) {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil, false
	}
	q := m.Questions[0]
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	if q.Type == dnsmessage.TypeA {
		for _, addr := range n.next(strings.TrimSuffix(q.Name.String(), ".")) {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: addr.As4()},
			})
		}
	}
	reply, err := m.Pack()
	return reply, err == nil
}

func (n *names) next(name string) []netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	answers := n.answers[name]
	if len(answers) == 0 {
		return nil
	}
	if len(answers) > 1 {
		n.answers[name] = answers[1:]
	}
	return answers[0]
}

// TestRebinding: a name is good at first and leads inside then. What counts is
// where each connection goes.
func TestRebinding(t *testing.T) {
	outside, inside := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")
	inner, asked := serve(t, hello)
	_, port, _ := net.SplitHostPort(inner.Listener.Addr().String())
	socket, err := net.Listen("tcp", "127.0.0.2:"+port)
	if err != nil {
		t.Skip("this system has one loopback address:", err)
	}
	outer := httptest.NewUnstartedServer(http.HandlerFunc(hello))
	outer.Listener.Close()
	outer.Listener = socket
	outer.StartTLS()
	defer outer.Close()
	dns := &names{answers: map[string][][]netip.Addr{
		"rebind.example.com": {{outside}, {inside}},
		"mixed.example.com":  {{inside, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("169.254.169.254")}},
		"inside.example.com": {{inside}},
	}}
	var mu sync.Mutex
	var seen []string
	pool := roots(outer)
	pool.AddCert(inner.Certificate())
	c := egress.NewBeside(egress.Config{RootCAs: pool, Resolver: dns.resolver(t)}, outside, func(to netip.AddrPort) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, to.Addr().String())
	})
	status, body, err := get(t, c, "https://rebind.example.com:"+port+"/")
	if status != 200 || body != "hello" || err != nil {
		t.Fatalf("at first: %d %q %v", status, body, err)
	}
	c.Close() // the next call connects again
	for _, host := range []string{"rebind", "mixed", "inside"} {
		_, _, err = get(t, c, "https://"+host+".example.com:"+port+"/")
		wantRefused(t, host, err, "not public")
	}
	if _, _, err := get(t, c, "https://nobody.example.com/"); err == nil || fault.CodeOf(err) == fault.Invalid {
		t.Errorf("a name without an address: %v", err)
	}
	if asked.Load() != 0 {
		t.Error("it was led inside")
	}
	mu.Lock()
	defer mu.Unlock()
	if got := fmt.Sprint(seen); got != "[127.0.0.2 127.0.0.1 127.0.0.1 10.0.0.1 169.254.169.254 127.0.0.1]" {
		t.Errorf("connections to %s", got)
	}
}

// TestRedirects: each is looked at as the first call is.
func TestRedirects(t *testing.T) {
	inner, asked := serve(t, hello)
	plain := httptest.NewServer(http.HandlerFunc(hello))
	defer plain.Close()
	to := map[string]string{"/inside": inner.URL, "/plain": plain.URL, "/metadata": "https://169.254.169.254/", "/file": "file:///etc/passwd"}
	outside := netip.MustParseAddr("127.0.0.3")
	socket, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		t.Skip("this system has one loopback address:", err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var left int
		switch target := to[r.URL.Path]; {
		case target != "":
			http.Redirect(w, r, target, http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/again"):
			fmt.Sscanf(r.URL.Path, "/again%d", &left)
			if left == 0 {
				hello(w, r)
				return
			}
			http.Redirect(w, r, fmt.Sprintf("/again%d", left-1), http.StatusTemporaryRedirect)
		}
	}))
	s.Listener.Close()
	s.Listener = socket
	s.StartTLS()
	defer s.Close()
	// The certificate of httptest is for example.com and 127.0.0.1.
	base := url.URL{Scheme: "https", Host: "example.com:" + fmt.Sprint(socket.Addr().(*net.TCPAddr).Port)}
	dns := &names{answers: map[string][][]netip.Addr{"example.com": {{outside}}}}
	pool := roots(s)
	pool.AddCert(inner.Certificate())
	cfg := egress.Config{RootCAs: pool, Resolver: dns.resolver(t)}
	c := egress.NewBeside(cfg, outside, func(netip.AddrPort) {})
	for _, path := range []string{"/inside", "/metadata"} {
		_, _, err := get(t, c, base.String()+path)
		wantRefused(t, path, err, "not public")
	}
	for _, path := range []string{"/plain", "/file"} {
		_, _, err := get(t, c, base.String()+path)
		wantRefused(t, path, err, "https://")
	}
	if status, body, err := get(t, c, base.String()+"/again3"); status != 200 || body != "hello" || err != nil {
		t.Errorf("three redirects: %d %q %v", status, body, err)
	}
	_, _, err = get(t, c, base.String()+"/again4")
	wantRefused(t, "four redirects", err, "redirects more than 3 times")
	cfg.NoRedirects = true
	if status, _, err := get(t, egress.NewBeside(cfg, outside, func(netip.AddrPort) {}), base.String()+"/again1"); status != 307 || err != nil {
		t.Errorf("without redirects: %d %v", status, err)
	}
	if asked.Load() != 0 {
		t.Error("it was led inside")
	}
}

func TestNoProxyAndNoCookies(t *testing.T) {
	proxy, asked := serve(t, hello)
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	var mu sync.Mutex
	var headers []http.Header
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		headers = append(headers, r.Header.Clone())
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b", Secure: true, HttpOnly: true})
	})
	// Go asks no proxy for an address of this machine, so it needs a name.
	dns := &names{answers: map[string][][]netip.Addr{"example.com": {{netip.MustParseAddr("127.0.0.1")}}}}
	c := egress.New(egress.Config{RootCAs: roots(s), Private: true, Resolver: dns.resolver(t)})
	for range 2 {
		if _, _, err := get(t, c, strings.Replace(s.URL, "127.0.0.1", "example.com", 1)); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	text, _ := json.Marshal(headers)
	if len(headers) != 2 || strings.Contains(string(text), "Cookie") || headers[0].Get("User-Agent") != "Fanfare" || headers[0].Get("Accept-Encoding") != "" {
		t.Errorf("it sent %s", text)
	}
	if asked.Load() != 0 {
		t.Error("a proxy was asked")
	}
}

func TestBounds(t *testing.T) {
	release := make(chan struct{})
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/fits":
			w.Write(make([]byte, 1000))
		case "/long":
			w.Write(make([]byte, 1001))
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 500)); err != nil {
					return
				}
			}
		case "/header":
			w.Header().Set("X-Long", strings.Repeat("x", 100<<10))
		case "/silent":
			<-release
		case "/slow":
			w.Write([]byte("a"))
			w.(http.Flusher).Flush()
			<-release
		}
	})
	defer close(release)
	c := egress.New(egress.Config{RootCAs: roots(s), Private: true, MaxBody: 1000, Timeout: 300 * time.Millisecond})
	if _, body, err := get(t, c, s.URL+"/fits"); len(body) != 1000 || err != nil {
		t.Errorf("what fits: %d bytes, %v", len(body), err)
	}
	for _, path := range []string{"/long", "/endless"} {
		if _, body, err := get(t, c, s.URL+path); fault.CodeOf(err) != fault.PayloadTooLarge || len(body) != 1000 {
			t.Errorf("%s: %d bytes, %v", path, len(body), err)
		}
	}
	if _, _, err := get(t, c, s.URL+"/header"); err == nil {
		t.Error("a long header is taken")
	}
	for _, path := range []string{"/silent", "/slow"} {
		_, _, err := get(t, c, s.URL+path)
		if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
			t.Errorf("%s: %v, want a time-out", path, err)
		}
	}
}

// A request that is refused has its body closed, as http.RoundTripper asks.
func TestRefusedBodyIsClosed(t *testing.T) {
	body := &closing{Reader: strings.NewReader("x")}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://192.0.2.1/", body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := egress.New(egress.Config{}).Do(r)
	if err == nil {
		answer.Body.Close()
	}
	if err == nil || !body.closed.Load() {
		t.Errorf("%v, closed %v", err, body.closed.Load())
	}
}

type closing struct {
	io.Reader
	closed atomic.Bool
}

func (c *closing) Close() error {
	c.closed.Store(true)
	return nil
}
