package estate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/estate"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
	"github.com/fanfare-mq/fanfare/broker/presence"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

const patience = 40 * time.Second

// natsServer can be stopped and started again on the same port and store.
type natsServer struct {
	t    testing.TB
	dir  string
	port int
	*server.Server
}

func startNATS(t testing.TB) *natsServer {
	n := &natsServer{t: t, dir: t.TempDir(), port: server.RANDOM_PORT}
	n.start()
	t.Cleanup(n.stop)
	return n
}

func (n *natsServer) start() {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: n.port, JetStream: true, StoreDir: n.dir, NoSigs: true, NoLog: true,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		n.t.Fatal("NATS did not start")
	}
	if addr, ok := s.Addr().(*net.TCPAddr); ok {
		n.port = addr.Port
	}
	n.Server = s
}

func (n *natsServer) stop() {
	n.Shutdown()
	n.WaitForShutdown()
}

func (n *natsServer) host() string { return fmt.Sprintf("127.0.0.1:%d", n.port) }

// events are those that were told so far.
func (n *natsServer) events() (all []broker.Event) {
	conn, err := nats.Connect("nats://" + n.host())
	if err != nil {
		n.t.Fatal(err)
	}
	defer conn.Close()
	js, err := natsjs.New(conn)
	if err != nil {
		n.t.Fatal(err)
	}
	stream, err := js.Stream(n.t.Context(), "EVENTS")
	if err != nil {
		n.t.Fatal(err)
	}
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(n.t.Context(), seq)
		if err != nil {
			n.t.Fatal(err)
		}
		var e broker.Event
		if err := json.Unmarshal(m.Data, &e); err != nil {
			n.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// node is a bus with an estate, and an edge that remembers what it got.
type node struct {
	*jetstream.Bus
	claims *presence.Broadcast
	estate *estate.Estate
	rest   func() // ends the estate
	mu     sync.Mutex
	got    []broker.Message
}

// startNode starts a node; without a URL it is alone.
func startNode(t testing.TB, cfg jetstream.Config) *node {
	t.Helper()
	bus, err := jetstream.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	n := &node{Bus: bus}
	bus.Attach(n)
	if n.claims, err = presence.NewBroadcast(bus, nil); err != nil {
		t.Fatal(err)
	}
	if n.estate, err = estate.New(estate.Config{Linger: time.Second}, bus, n.claims); err != nil {
		t.Fatal(err)
	}
	sure := make(chan error, 1)
	bus.AddInterest("acme/#", func(err error) { sure <- err })
	if err := <-sure; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = n.estate.Run(ctx) }()
	n.rest = func() { cancel(); <-done }
	t.Cleanup(n.rest)
	eventually(t, "ready", func() bool { return bus.Ready(t.Context()) == nil })
	return n
}

// Deliver implements broker.Receiver.
func (n *node) Deliver(m *broker.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got = append(n.got, *m)
}

// DeliverShared implements broker.Receiver.
func (n *node) DeliverShared(string, string, *broker.Message, broker.Loan) {}

// topics are those of the messages that came, in order of the alphabet.
func (n *node) topics() (all []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.got {
		all = append(all, n.got[i].Topic)
	}
	slices.Sort(all)
	return all
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	testenv.Eventually(t, patience, what, cond)
}

// await waits for an answer.
func await[T any](t testing.TB, ask func(fn func(T, error))) T {
	t.Helper()
	type result struct {
		answer T
		err    error
	}
	results := make(chan result, 1)
	ask(func(answer T, err error) { results <- result{answer, err} })
	select {
	case r := <-results:
		if r.err != nil {
			t.Fatal(r.err)
		}
		return r.answer
	case <-time.After(patience):
		t.Fatal("no answer")
		panic("unreachable")
	}
}

// line is a way to NATS that ends with its node.
type line struct {
	socket net.Listener
	mu     sync.Mutex
	conns  []net.Conn
}

func newLine(t testing.TB, server string) *line {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{socket: socket}
	t.Cleanup(l.cut)
	go func() {
		for {
			near, err := socket.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", server)
			if err != nil {
				near.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, near, far)
			l.mu.Unlock()
			go func() { _, _ = io.Copy(far, near); far.Close() }()
			go func() { _, _ = io.Copy(near, far); near.Close() }()
		}
	}()
	return l
}

func (l *line) url() string { return "nats://" + l.socket.Addr().String() }

// cut is as if the node's machine had lost its power.
func (l *line) cut() {
	l.socket.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
}
