package edge_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	nats "github.com/nats-io/nats-server/v2/server"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// lossy loses live messages of other nodes on their way to an edge: one in a
// hundred, and all that end with "last".
type lossy struct {
	*edge.Edge
	node string
	mu   sync.Mutex // guards rand
	rand *rand.Rand
	lost *atomic.Int64
}

func (l *lossy) Deliver(m *broker.Message) {
	if m.Node != l.node {
		l.mu.Lock()
		gone := l.rand.IntN(100) == 0 || strings.HasSuffix(string(m.Payload), "last")
		l.mu.Unlock()
		if gone {
			l.lost.Add(1)
			return
		}
	}
	l.Edge.Deliver(m)
}

func natsURL(t *testing.T) string {
	t.Helper()
	s, err := nats.NewServer(&nats.Options{Host: "127.0.0.1", Port: nats.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	s.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatal("NATS did not start")
	}
	return s.ClientURL()
}

// startLossy starts a node that loses messages.
func startLossy(t *testing.T, url, name string, interval time.Duration, lost *atomic.Int64) *node {
	t.Helper()
	n := startNode(t, jetstream.Config{Node: name, URL: url, Shards: 1}, func(c *edge.Config) { c.ProbeInterval = interval })
	chance := rand.New(rand.NewPCG(1, uint64(name[len(name)-1])))
	n.real.Attach(&lossy{Edge: n.edge, node: name, rand: chance, lost: lost})
	return n
}

// hear reads n messages of each of the publishers and checks that they come
// once and in order.
func (d *device) hear(publishers, n int) error {
	next := make(map[string]int)
	for range publishers * n {
		f, err := d.read()
		if err != nil {
			return fmt.Errorf("after %v: %w", next, err)
		}
		var p packet.Publish
		if err := p.Decode(f); err != nil {
			return err
		}
		if want := next[string(p.Topic)]; !strings.HasPrefix(string(p.Payload), fmt.Sprint(want)+" ") {
			return fmt.Errorf("%s: got %s, want %d", p.Topic, p.Payload, want)
		}
		next[string(p.Topic)]++
		if _, err := d.nc.Write(puback(p.PacketID)); err != nil {
			return err
		}
	}
	return nil
}

// TestLostLiveMessages loses live messages between three nodes, among them the
// last ones, which nothing that follows tells of: every session gets every
// message, once, in its publisher's order, within the period of the probes.
func TestLostLiveMessages(t *testing.T) {
	const nodes, readers, n, interval = 3, 4, 300, 2 * time.Second
	url := natsURL(t)
	var lost atomic.Int64
	var worlds []*node
	var heard, said sync.WaitGroup
	for i := range nodes {
		worlds = append(worlds, startLossy(t, url, fmt.Sprintf("n%d", i), interval, &lost))
	}
	var slowest atomic.Int64
	var ended atomic.Int64 // when the last message was acknowledged
	for i, w := range worlds {
		for j := range readers {
			d := w.connect("acme", "ana", fmt.Sprintf("reader-%d-%d", i, j), durable)
			d.subscribe(1, "acme/chat/room/#")
			heard.Go(func() {
				if err := d.hear(nodes, n); err != nil {
					t.Errorf("reader %d of node %d: %v", j, i, err)
				}
				slowest.Store(max(slowest.Load(), time.Now().UnixNano()))
			})
		}
	}
	for i, w := range worlds {
		d := w.connect("acme", "bob", fmt.Sprintf("writer-%d", i))
		said.Go(func() {
			for k := range n {
				text := fmt.Sprintf("%d x", k)
				if k == n-1 {
					text = fmt.Sprintf("%d last", k)
				}
				if err := say(d.nc, fmt.Sprintf("acme/chat/room/%d", i), text, uint16(k+1)); err != nil {
					t.Error(err)
					return
				}
				if _, err := d.read(); err != nil { // PUBACK
					t.Error(err)
					return
				}
			}
			ended.Store(time.Now().UnixNano())
		})
	}
	said.Wait()
	heard.Wait()
	t.Logf("%d live messages lost, the last one delivered %v after the end", lost.Load(), time.Duration(slowest.Load()-ended.Load()))
	if lost.Load() < 2*nodes+4 {
		t.Errorf("only %d were lost", lost.Load())
	}
}

func say(nc net.Conn, topic, text string, id uint16) error {
	_, err := nc.Write(publish(topic, text, 1, id))
	return err
}

// TestDoubtIsHeeded loses the only message there is, with probes an hour apart:
// what the bus says of a loss brings it.
func TestDoubtIsHeeded(t *testing.T) {
	url := natsURL(t)
	var lost atomic.Int64
	a := startLossy(t, url, "n0", time.Hour, &lost)
	b := startLossy(t, url, "n1", time.Hour, &lost)
	reader := a.connect("acme", "ana", "reader")
	reader.subscribe(1, "acme/chat/room/#")
	writer := b.connect("acme", "bob", "writer")
	// Wait out the session's own second look after its SUBACK.
	for begin := time.Now(); time.Since(begin) < 2*time.Second; {
		reader.ping()
	}
	writer.send(publish("acme/chat/room/1", "0 last", 1, 1))
	writer.next(packet.PUBACK)
	other, err := jetstream.Open(t.Context(), jetstream.Config{Node: "n2", URL: url, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	for deadline := time.Now().Add(patience); lost.Load() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nothing was lost")
		}
		writer.ping()
	}
	if err := other.Announce("doubt", nil); err != nil { // as a node does that has reconnected
		t.Fatal(err)
	}
	if m := reader.message(); string(m.Payload) != "0 last" {
		t.Errorf("got %s", m.Payload)
	}
}
