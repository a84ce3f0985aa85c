package store_test

import (
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/internal/testenv"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// link carries connections to a server until it is cut.
type link struct {
	listener net.Listener
	server   string
	mu       sync.Mutex
	conns    []net.Conn
	isCut    bool
}

func newLink(t *testing.T, server string) *link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	k := &link{listener: l, server: server}
	t.Cleanup(func() { _ = l.Close(); k.cut() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			k.carry(client)
		}
	}()
	return k
}

func (k *link) carry(client net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	server, err := net.Dial("tcp", k.server)
	if err != nil || k.isCut {
		_ = client.Close()
		return
	}
	k.conns = append(k.conns, client, server)
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() { _, _ = io.Copy(pair[0], pair[1]); _ = pair[0].Close() }()
	}
}

func (k *link) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.isCut = true
	for _, c := range k.conns {
		_ = c.Close()
	}
	k.conns = nil
}

func (k *link) mend() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.isCut = false
}

func TestPostgresAway(t *testing.T) {
	u, err := url.Parse(testenv.Postgres(t))
	must(t, err)
	k := newLink(t, u.Host)
	u.Host = k.listener.Addr().String()
	s := open(t, store.Config{PostgresURL: u.String(), Sealer: sealer(t, 1)})
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")

	k.cut()
	_, err = s.Entry(t.Context(), "acme", "chat")
	wantCode(t, err, fault.Unavailable)
	_, err = s.App(t.Context(), "acme", "chat")
	wantCode(t, err, fault.Unavailable)
	_, err = setACL(t, s, "acme", "chat", nil, store.AnyVersion)
	wantCode(t, err, fault.Unavailable)
	wantCode(t, s.CreateOrganization(t.Context(), tenant.Organization{Slug: "globex"}, tenant.Member{}, ""), fault.Unavailable)
	wantCode(t, s.Ping(t.Context()), fault.Unavailable)

	k.mend()
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("the database is back: %v", err)
	}
	_, err = s.Organization(t.Context(), "globex")
	wantCode(t, err, fault.NotFound)
}

func TestPostgresServerStops(t *testing.T) {
	server, err := testenv.StartPostgres(t.Context())
	if err != nil {
		t.Fatalf("run it through make test: %v", err)
	}
	t.Cleanup(func() { must(t, server.Stop()) })
	s := open(t, store.Config{PostgresURL: server.URL, Sealer: sealer(t, 1)})
	signUp(t, s, "acme")
	must(t, server.Stop())
	for range 3 { // first with the pooled connections that the server closed
		_, err = s.Organization(t.Context(), "acme")
		wantCode(t, err, fault.Unavailable)
	}
}

func TestSQLiteThatIsNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	must(t, os.WriteFile(path, []byte("this is a letter, not a database, and long enough to have a header of 100 bytes: "+
		"dear reader, nothing of this may be lost"), 0o600))
	s, err := store.Open(t.Context(), store.Config{Path: path, Sealer: sealer(t, 1)})
	if err == nil {
		t.Fatal("opened", s.Close())
	}
	wantCode(t, err, fault.Internal)
}
