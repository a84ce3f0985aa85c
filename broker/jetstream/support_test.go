package jetstream_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

func code(err error) string { return string(fault.CodeOf(err)) }

// natsServer is an external NATS server that can be stopped and started again
// on the same port and store.
type natsServer struct {
	t    testing.TB
	dir  string
	port int
	*server.Server
}

func startNATS(t testing.TB) *natsServer {
	t.Helper()
	n := &natsServer{t: t, dir: t.TempDir(), port: server.RANDOM_PORT}
	n.start()
	t.Cleanup(n.stop)
	return n
}

func (n *natsServer) start() {
	n.t.Helper()
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

func (n *natsServer) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", n.port) }

// open opens a bus with two shards, for speed; it is closed with the test.
func open(t testing.TB, cfg jetstream.Config) *jetstream.Bus {
	t.Helper()
	b, err := tryOpen(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	eventually(t, "ready", func() bool { return b.Ready(t.Context()) == nil })
	return b
}

func tryOpen(t testing.TB, cfg jetstream.Config) (*jetstream.Bus, error) {
	t.Helper()
	if cfg.URL != "" && cfg.Shards == 0 {
		cfg.Shards = 2
	}
	return jetstream.Open(t.Context(), cfg)
}

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	testenv.Eventually(t, patience, what, cond)
}

// audience is a node's edge that remembers what it got.
type audience struct {
	mu  sync.Mutex
	got []broker.Message
}

func (a *audience) Deliver(m *broker.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got = append(a.got, *m)
}

func (a *audience) messages() []broker.Message {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.got)
}

func (a *audience) payloads() string {
	var all []string
	for _, m := range a.messages() {
		all = append(all, string(m.Payload))
	}
	return strings.Join(all, " ")
}

func attach(b *jetstream.Bus) *audience {
	a := new(audience)
	b.Attach(a)
	return a
}

// answers is an Acknowledger that remembers, in order.
type answers struct {
	mu   sync.Mutex
	tags []uint64
	errs map[uint64]error
	seqs map[uint64]uint64
}

func newAnswers() *answers {
	return &answers{errs: make(map[uint64]error), seqs: make(map[uint64]uint64)}
}

func (a *answers) Published(tag uint64, m *broker.Message, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tags, a.errs[tag], a.seqs[tag] = append(a.tags, tag), err, m.Position.Seq
}

func (a *answers) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.tags)
}

func message(qos byte, topic, payload string) *broker.Message {
	return &broker.Message{Topic: topic, Payload: []byte(payload), QoS: qos}
}

// publish publishes and waits for the acknowledgement.
func publish(t testing.TB, b *jetstream.Bus, m *broker.Message) broker.Position {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := b.PublishWait(ctx, m)
	if err != nil {
		t.Fatalf("publish %s: %v", m.Topic, err)
	}
	if p.Shard == 0 && b.Alone() { // the head is where delivery is, just behind the acknowledgement
		eventually(t, "delivered", func() bool { return head(t, b) >= p.Seq })
	}
	return p
}

// interested waits until other nodes' messages are sure to arrive.
func interested(t testing.TB, b *jetstream.Bus, filters ...string) {
	t.Helper()
	ready := make(chan error, len(filters))
	for _, f := range filters {
		b.AddInterest(f, func(err error) { ready <- err })
	}
	for range filters {
		select {
		case err := <-ready:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(patience):
			t.Fatal("interest was never ready")
		}
	}
}

// stored returns the messages of a shard by sequence, sentinel left out.
func stored(t testing.TB, b *jetstream.Bus, shard int) map[uint64]*natsjs.RawStreamMsg {
	t.Helper()
	s := stream(t, b, shard)
	state := s.CachedInfo().State
	all := make(map[uint64]*natsjs.RawStreamMsg)
	for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
		m, err := s.GetMsg(t.Context(), seq)
		if err == nil && !strings.HasSuffix(m.Subject, ".sentinel") {
			all[seq] = m
		}
	}
	return all
}

func stream(t testing.TB, b *jetstream.Bus, shard int) natsjs.Stream {
	t.Helper()
	return streamNamed(t, b, jetstream.StreamName(shard))
}

func retainedStream(t testing.TB, b *jetstream.Bus) natsjs.Stream {
	t.Helper()
	return streamNamed(t, b, "RETAINED")
}

func streamNamed(t testing.TB, b *jetstream.Bus, name string) natsjs.Stream {
	t.Helper()
	s, err := jetstream.JetStreamOf(b).Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// DeliverShared counts like Deliver.
func (a *audience) DeliverShared(_, _ string, m *broker.Message, _ broker.Loan) { a.Deliver(m) }
