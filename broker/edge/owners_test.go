package edge_test

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// wire is a node's way to NATS, which can be cut.
type wire struct {
	t      *testing.T
	target string
	nl     net.Listener

	mu    sync.Mutex
	whole bool
	ends  map[net.Conn]struct{}
}

func newWire(t *testing.T, target string) *wire {
	t.Helper()
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, target: target, nl: nl, whole: true, ends: make(map[net.Conn]struct{})}
	t.Cleanup(func() { _ = nl.Close(); w.cut() })
	go func() {
		for {
			nc, err := nl.Accept()
			if err != nil {
				return
			}
			go w.carry(nc)
		}
	}()
	return w
}

func (w *wire) url() string { return "nats://" + w.nl.Addr().String() }

func (w *wire) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer far.Close()
	w.mu.Lock()
	if !w.whole {
		w.mu.Unlock()
		return
	}
	w.ends[near], w.ends[far] = struct{}{}, struct{}{}
	w.mu.Unlock()
	go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
	_, _ = io.Copy(near, far)
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.whole = false
	for nc := range w.ends {
		_ = nc.Close()
	}
	clear(w.ends)
}

func (w *wire) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.whole = true
}

// wired is a node with its wire.
type wired struct {
	*node

	wire *wire
}

// cluster starts n nodes on one NATS, each with a wire of its own.
func cluster(t *testing.T, n int) []*wired {
	t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("NATS did not start")
	}
	var all []*wired
	for i := range n {
		w := newWire(t, s.Addr().String())
		all = append(all, &wired{startNode(t, jetstream.Config{Node: "n" + strconv.Itoa(i+1), URL: w.url(), Shards: 1}), w})
	}
	return all
}

// stored reads the record of a session.
func (n *node) stored(key string) *broker.Record {
	n.t.Helper()
	type answer struct {
		stored broker.Stored
		err    error
	}
	got := make(chan answer, 1)
	n.real.Load(key, func(s broker.Stored, err error) { got <- answer{s, err} })
	a := <-got
	if a.err != nil {
		n.t.Fatal(a.err)
	}
	return a.stored.Record
}

const phone = "acme/chat/ana/phone"

// A durable session outlives the process: its subscriptions, what was on its way
// to the client, and what came while it was away.
func TestRestartKeepsSessions(t *testing.T) {
	dir := t.TempDir()
	first := startNode(t, jetstream.Config{Node: "n1", Dir: dir})
	ana := first.connect("acme", "ana", "phone", v5)
	ana.subscribe(2, "acme/chat/room/#")
	bob := first.connect("acme", "bob", "laptop", durable)
	bob.subscribe(1, "acme/chat/room/1")
	bob.send(publish("acme/chat/room/1", "one", 2, 1))
	bob.next(packet.PUBREC)
	sent := ana.message()
	bob.send(puback(bob.message().PacketID))
	bob.ping()
	first.stop()
	if err := first.real.Close(); err != nil {
		t.Fatal(err)
	}
	second := startNode(t, jetstream.Config{Node: "n1", Dir: dir})
	again := second.dial()
	if ack := again.greet(second.world, "acme", "bob", "laptop", durable); !ack.SessionPresent {
		t.Error("no session present")
	}
	again.send(packet.Ack{Type: packet.PUBREL, PacketID: 1}.Append(nil))
	again.next(packet.PUBCOMP)
	again.send(publish("acme/chat/room/1", "two", 1, 2))
	again.next(packet.PUBACK)
	if p := again.message(); string(p.Payload) != "two" {
		t.Errorf("got %q", p.Payload)
	}
	back := second.dial()
	if ack := back.greet(second.world, "acme", "ana", "phone", v5); !ack.SessionPresent {
		t.Fatal("no session present")
	}
	if p := back.message(); !p.Dup || p.PacketID != sent.PacketID || string(p.Payload) != "one" {
		t.Errorf("got %+v, want message %d again", p, sent.PacketID)
	}
	if p := back.message(); p.Dup || string(p.Payload) != "two" {
		t.Errorf("got %+v", p)
	}
}

// The newest connection has the session, on whatever node, with all that was on
// its way, and the other one is told.
func TestTakeoverBetweenNodes(t *testing.T) {
	all := cluster(t, 2)
	for _, version := range []packet.Version{packet.V311, packet.V5} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			kind, name := durable, fmt.Sprint("phone-", version)
			if version == packet.V5 {
				kind = v5
			}
			first := all[0].connect("acme", "ana", name, kind)
			first.subscribe(1, "acme/chat/room/#")
			bob := all[1].connect("acme", "bob", "laptop")
			bob.send(publish("acme/chat/room/1", "hello", 1, 1))
			bob.next(packet.PUBACK)
			sent := first.message()
			second := all[1].dial()
			if ack := second.greet(all[1].world, "acme", "ana", name, kind); !ack.SessionPresent {
				t.Fatal("no session present")
			}
			if version == packet.V5 {
				var bye packet.Disconnect
				if err := bye.Decode(first.next(packet.DISCONNECT)); err != nil || bye.Reason != packet.SessionTakenOver {
					t.Errorf("DISCONNECT %v, %v", bye.Reason, err)
				}
			}
			first.closed()
			if p := second.message(); !p.Dup || p.PacketID != sent.PacketID || string(p.Payload) != "hello" {
				t.Errorf("got %+v, want message %d again", p, sent.PacketID)
			}
			second.send(puback(sent.PacketID))
			second.ping()
		})
	}
}

// A clean session is taken over as well, and a clean start ends a session that
// another node has.
func TestCleanTakeoverBetweenNodes(t *testing.T) {
	all := cluster(t, 2)
	first := all[0].connect("acme", "ana", "phone", durable)
	first.subscribe(1, "acme/chat/room/#")
	second := all[1].connect("acme", "ana", "phone")
	first.closed()
	third := all[0].connect("acme", "ana", "phone")
	second.closed()
	third.send(packet.Disconnect{}.Append(nil))
	third.closed()
	if ack := all[1].dial().greet(all[1].world, "acme", "ana", "phone", durable); ack.SessionPresent { // [MQTT-3.1.2-4]
		t.Error("session present after a clean one")
	}
}

// Connections of one client that come at once, everywhere, end with one.
func TestSimultaneousConnects(t *testing.T) {
	all := cluster(t, 3)
	for round := range 5 {
		name := "phone-" + strconv.Itoa(round)
		var devices []*device
		for i := range 9 {
			d := all[i%3].dial()
			p := packet.Connect{
				Clean: round == 0, ClientID: name, KeepAlive: 60,
				HasUsername: true, Username: "acme/chat", HasPassword: true, Password: []byte(all[i%3].token("acme", "ana")),
			}
			d.send(p.Append(nil))
			devices = append(devices, d)
		}
		ended, alive := make(chan int), make(chan int)
		for i, d := range devices {
			go func() {
				for {
					f, err := d.read()
					switch {
					case err != nil:
						ended <- i
						return
					case f.Type == packet.PINGRESP:
						alive <- i
						return
					}
				}
			}()
		}
		open := make(map[int]bool)
		for i := range devices {
			open[i] = true
		}
		for len(open) > 1 {
			select {
			case i := <-ended:
				delete(open, i)
			case <-time.After(patience):
				t.Fatalf("round %d: %d connections are left", round, len(open))
			}
		}
		for i := range open {
			devices[i].send(packet.Pingreq{}.Append(nil))
			select {
			case <-alive:
			case <-ended:
				t.Fatalf("round %d: none is left", round)
			}
		}
	}
}

// A node that vanishes without a word: its clients go on at another one.
func TestResumeAfterANodeIsLost(t *testing.T) {
	all := cluster(t, 2)
	ana := all[0].connect("acme", "ana", "phone", v5)
	ana.subscribe(2, "acme/chat/room/#")
	bob := all[1].connect("acme", "bob", "laptop")
	bob.send(publish("acme/chat/room/1", "one", 2, 1))
	bob.next(packet.PUBREC)
	sent := ana.message()
	all[0].wire.cut()
	bob.send(publish("acme/chat/room/1", "two", 1, 2))
	bob.next(packet.PUBACK)
	back := all[1].dial()
	if ack := back.greet(all[1].world, "acme", "ana", "phone", v5); !ack.SessionPresent {
		t.Fatal("no session present")
	}
	if p := back.message(); !p.Dup || p.PacketID != sent.PacketID || string(p.Payload) != "one" {
		t.Errorf("got %+v, want message %d again", p, sent.PacketID)
	}
	if p := back.message(); string(p.Payload) != "two" {
		t.Errorf("got %+v", p)
	}
}

// An owner that was cut off, and taken over meanwhile, is fenced when it is back:
// it changes nothing any more and ends its connection.
func TestStaleOwnerIsFenced(t *testing.T) {
	all := cluster(t, 2)
	ana := all[0].connect("acme", "ana", "phone", durable)
	ana.subscribe(1, "acme/chat/room/#")
	all[0].wire.cut()
	back := all[1].dial()
	if ack := back.greet(all[1].world, "acme", "ana", "phone", durable); !ack.SessionPresent {
		t.Fatal("no session present")
	}
	ours := all[1].stored(phone)
	ana.send(packet.Subscribe{PacketID: 9, Subscriptions: []packet.Subscription{{Filter: "acme/chat/room/stale", QoS: 1}}}.Append(nil))
	all[0].wire.heal()
	ana.closed() // without a SUBACK
	if r := all[1].stored(phone); r.Owner != ours.Owner || r.Epoch != ours.Epoch || len(r.Subscriptions) != 1 {
		t.Errorf("the record is %+v", r)
	}
	back.ping()
}

// A node that was cut off for so long that it was declared dead sends its
// clients away and begins anew.
func TestANodeTakenForDeadLivesAgain(t *testing.T) {
	all := cluster(t, 2)
	before := all[0].real.Instance()
	ana := all[0].connect("acme", "ana", "phone", v5)
	ana.subscribe(1, "acme/chat/room/#")
	all[0].wire.cut()
	until(t, "declared dead", func() bool {
		leases := make(chan []broker.Lease, 1)
		all[1].real.Leases(func(l []broker.Lease, err error) { leases <- l })
		for _, l := range <-leases {
			if l.Instance == before && l.State == broker.LeaseAlive {
				return false
			}
		}
		return true
	})
	all[0].wire.heal()
	var bye packet.Disconnect
	if err := bye.Decode(ana.next(packet.DISCONNECT)); err != nil {
		t.Fatal(err)
	}
	until(t, "another instance", func() bool { return all[0].real.Instance() != before && all[0].edge.Ready() })
	back := all[0].dial()
	if ack := back.greet(all[0].world, "acme", "ana", "phone", v5); !ack.SessionPresent {
		t.Error("no session present")
	}
	if r := all[0].stored(phone); r.Owner != all[0].real.Instance() {
		t.Errorf("the owner is %s", r.Owner)
	}
	elsewhere := all[1].connect("acme", "ana", "phone", v5)
	back.next(packet.DISCONNECT) // the new instance hears what it is asked
	elsewhere.ping()
}
