package edge_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// groupAckWait is how long the messages of a node that died wait.
const groupAckWait = time.Second

// node is an edge on a bus of its own.
type node struct {
	*world

	real *jetstream.Bus
}

// nodes starts two edges on one NATS.
func nodes(t *testing.T) []*node {
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
	var all []*node
	for _, name := range []string{"n1", "n2"} {
		all = append(all, startNode(t, jetstream.Config{Node: name, URL: s.ClientURL(), Shards: 1, GroupAckWait: groupAckWait}))
	}
	return all
}

func startNode(t testing.TB, cfg jetstream.Config, change ...func(*edge.Config)) *node {
	t.Helper()
	b, err := jetstream.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	w := build(t, b, append(change, func(c *edge.Config) { c.Node = cfg.Node })...)
	b.Attach(w.edge)
	w.run()
	return &node{w, b}
}

// alone starts a node that brings its own NATS.
func alone(t testing.TB, change ...func(*edge.Config)) *node {
	t.Helper()
	return startNode(t, jetstream.Config{Node: "n1", Dir: t.TempDir(), GroupAckWait: groupAckWait}, change...)
}

const workFilter = "$share/g/acme/chat/room/#"

// worker joins the group with a window, and durable if it is told so.
func (n *node) worker(name string, qos byte, window uint16, durable bool) *device {
	n.t.Helper()
	d := n.connect("acme", "ana", name, v5, func(p *packet.Connect) {
		p.Properties.ReceiveMaximum = window
		if durable {
			p.Clean, p.Properties.SessionExpiry = false, 3600
		}
	})
	if codes := d.subscribe(qos, workFilter); codes[0] != qos {
		n.t.Fatalf("SUBACK %x", codes)
	}
	return d
}

// publishWork publishes the numbers from one to before another.
func (n *node) publishWork(qos byte, from, to int) {
	n.t.Helper()
	d := n.connect("acme", "bob", "publisher")
	for i := from; i < to; i++ {
		id := uint16(i - from + 1)
		d.send(publish("acme/chat/room/1", strconv.Itoa(i), qos, id))
		if qos == 1 {
			d.next(packet.PUBACK)
			continue
		}
		d.next(packet.PUBREC)
		d.send(packet.Ack{Type: packet.PUBREL, PacketID: id}.Append(nil))
		d.next(packet.PUBCOMP)
	}
	d.nc.Close()
}

// work takes n messages, acknowledges them if it is told so, and returns what
// was in them.
func (d *device) work(n int, acknowledge bool) []string {
	d.t.Helper()
	var got []string
	for range n {
		p := d.message()
		got = append(got, string(p.Payload))
		if acknowledge && p.QoS == 1 {
			d.send(packet.Ack{Type: packet.PUBACK, Version: d.version, PacketID: p.PacketID}.Append(nil))
		}
	}
	return got
}

// numbers are those from one to before another, in words.
func numbers(from, to int) string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, strconv.Itoa(i))
	}
	return strings.Join(all, " ")
}

func sorted(got []string) string {
	slices.SortFunc(got, func(a, b string) int {
		m, _ := strconv.Atoi(a)
		n, _ := strconv.Atoi(b)
		return m - n
	})
	return strings.Join(got, " ")
}

// Members get as much as they have room for, wherever they are, and each
// message goes to one.
func TestGroupFollowsTheRoom(t *testing.T) {
	n := nodes(t)
	small, large := n[0].worker("small", 1, 10, false), n[1].worker("large", 1, 50, false)
	n[0].publishWork(1, 0, 60)
	got := append(small.work(10, false), large.work(50, false)...)
	if s := sorted(got); s != numbers(0, 60) {
		t.Errorf("got %s", s)
	}
	small.ping()
	// Whoever makes room gets what follows.
	n[0].publishWork(1, 60, 70)
	large.ping()
	for i := range uint16(10) {
		small.send(packet.Ack{Type: packet.PUBACK, Version: packet.V5, PacketID: i + 1}.Append(nil))
	}
	if s := sorted(small.work(10, true)); s != numbers(60, 70) {
		t.Errorf("got %s", s)
	}
}

// With no member online the group waits, and the first gets all in order.
func TestGroupWaits(t *testing.T) {
	n := nodes(t)
	n[0].worker("first", 1, 20, true).nc.Close()
	until(t, "left", func() bool { return n[0].real.Stats().Groups == 0 })
	n[0].publishWork(1, 0, 100)
	if s := strings.Join(n[1].worker("second", 1, 20, false).work(100, true), " "); s != numbers(0, 100) {
		t.Errorf("got %s", s)
	}
}

// A lost member's messages go to another one at once, on whatever node, in order.
func TestGroupOfALostMember(t *testing.T) {
	for _, at := range []int{0, 1} {
		n := nodes(t)
		lost := n[0].worker("lost", 1, 50, true)
		n[0].publishWork(1, 0, 30)
		lost.work(30, false)
		other := n[at].worker("other", 1, 50, false)
		lost.nc.Close()
		got := other.work(30, true)
		if at == 1 { // the log redelivers to other nodes in an order of its own
			sorted(got)
		}
		if s := strings.Join(got, " "); s != numbers(0, 30) {
			t.Errorf("at %d got %s", at, s)
		}
	}
}

// A node that dies loses nothing of a group: what its members had not
// acknowledged goes to others, but for what could then arrive twice.
func TestGroupOfALostNode(t *testing.T) {
	n := nodes(t)
	lost := n[0].worker("lost", 2, 50, true)
	n[0].publishWork(1, 0, 10)
	n[0].publishWork(2, 10, 20)
	lost.work(20, false)
	other := n[1].worker("other", 2, 50, false)
	_ = n[0].real.Close() // nothing is given back
	if s := strings.Join(other.work(10, true), " "); s != numbers(0, 10) {
		t.Errorf("got %s", s)
	}
	n[1].publishWork(1, 20, 21)
	if s := other.work(1, true); s[0] != "20" {
		t.Errorf("got %v", s)
	}
	other.ping()
}

// Who has left the group gets no more, and completes what it was sent.
func TestGroupAfterUnsubscribe(t *testing.T) {
	n := alone(t)
	leaver, stayer := n.worker("leaver", 1, 50, false), n.worker("stayer", 1, 50, false)
	n.publishWork(1, 0, 20)
	sent := append(leaver.work(10, false), stayer.work(10, true)...)
	leaver.send(packet.Unsubscribe{Version: packet.V5, PacketID: 9, Filters: []string{workFilter}}.Append(nil))
	leaver.next(packet.UNSUBACK)
	n.publishWork(1, 20, 30)
	if s := strings.Join(stayer.work(10, true), " "); s != numbers(20, 30) {
		t.Errorf("got %s", s)
	}
	if s := sorted(sent); s != numbers(0, 20) {
		t.Errorf("got %s", s)
	}
	for i := range uint16(10) {
		leaver.send(packet.Ack{Type: packet.PUBACK, Version: packet.V5, PacketID: i + 1}.Append(nil))
	}
	until(t, "completed", func() bool { return n.real.Stats().Loans == 0 })
	leaver.ping()
}

// A member that does not acknowledge does not hold the others up.
func TestGroupWithAStuckMember(t *testing.T) {
	n := alone(t)
	stuck, busy := n.worker("stuck", 1, 1, false), n.worker("busy", 1, 10, false)
	other := n.connect("acme", "bob", "publisher")
	stuck.subscribe(1, "acme/chat/room/full") // fills the window from another side
	other.send(publish("acme/chat/room/full", "full", 1, 1))
	other.next(packet.PUBACK)
	if p := stuck.message(); string(p.Payload) != "full" {
		t.Fatalf("got %s", p.Payload)
	}
	published := make(chan struct{})
	go func() { n.publishWork(1, 0, 100); close(published) }()
	got := busy.work(100, true)
	if slices.Contains(got, "full") {
		got = append(slices.DeleteFunc(got, func(s string) bool { return s == "full" }), busy.work(1, true)...)
	}
	if s := sorted(got); s != numbers(0, 100) {
		t.Errorf("got %s", s)
	}
	<-published
}

// A message of QoS 1 to a member with QoS 0 is done with when it is sent.
func TestGroupMemberOfQoS0(t *testing.T) {
	n := alone(t)
	d := n.worker("careless", 0, 10, false)
	n.publishWork(1, 0, 100)
	if s := strings.Join(d.work(100, false), " "); s != numbers(0, 100) {
		t.Errorf("got %s", s)
	}
	until(t, "done with", func() bool { return n.real.Stats().Loans == 0 })
}

// An app may have so many groups, and those that were left count.
func TestGroupLimit(t *testing.T) {
	n := alone(t, func(c *edge.Config) { c.MaxGroups = 3 })
	d := n.connect("acme", "ana", "greedy", v5)
	for i := range 5 {
		want := byte(1)
		if i >= 3 {
			want = byte(packet.QuotaExceeded)
		}
		filter := fmt.Sprintf("$share/g%d/acme/chat/room/1", i)
		if codes := d.subscribe(1, filter); codes[0] != want {
			t.Errorf("group %d: SUBACK %x", i, codes)
		}
		d.send(packet.Unsubscribe{Version: packet.V5, PacketID: 9, Filters: []string{filter}}.Append(nil))
		d.next(packet.UNSUBACK)
	}
	if codes := d.subscribe(1, "$share/g1/acme/chat/room/1"); codes[0] != 1 {
		t.Errorf("a group that was left: SUBACK %x", codes)
	}
	d.ping()
}
