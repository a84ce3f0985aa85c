package estate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// has stores a will of a client of the node, as its connection would.
func (n *node) has(t *testing.T, name string, change func(*broker.Will)) *broker.Will {
	t.Helper()
	w := &broker.Will{
		Instance: n.Instance(), Key: "acme/chat/" + name + "/phone", Epoch: 10,
		Message: &broker.Message{ID: ulid.Make(), Topic: "acme/chat/" + name, Payload: []byte("gone"), QoS: 1},
	}
	if change != nil {
		change(w)
	}
	w.Revision = await(t, func(fn func(uint64, error)) { n.PutWill(w, fn) })
	return w
}

func durable(delay time.Duration) func(*broker.Will) {
	return func(w *broker.Will) { w.Durable, w.Delay = true, delay }
}

func qos(level byte) func(*broker.Will) {
	return func(w *broker.Will) { w.Message.QoS = level }
}

// saved writes the record of a client, who is connected to instance.
func (n *node) saved(t *testing.T, name, instance string, epoch uint64) {
	t.Helper()
	r := &broker.Record{Owner: instance, Epoch: epoch, Expiry: time.Hour}
	await(t, func(fn func(uint64, error)) { n.Save("acme/chat/"+name+"/phone", r, 0, fn) })
}

func TestNodeDies(t *testing.T) {
	t.Parallel()
	server := startNATS(t)
	a := startNode(t, jetstream.Config{Node: "a", URL: "nats://" + server.host(), Shards: 2})
	b := startNode(t, jetstream.Config{Node: "b", URL: "nats://" + server.host(), Shards: 2})
	way := newLine(t, server.host())
	c := startNode(t, jetstream.Config{Node: "c", URL: way.url(), Shards: 2})
	dead := c.Instance()

	c.has(t, "zero", qos(0))
	c.has(t, "one", nil)
	c.has(t, "two", qos(2))
	c.has(t, "kept", func(w *broker.Will) { w.Message.Retain = true })
	c.has(t, "late", durable(3*time.Second))
	c.saved(t, "late", dead, 10)
	c.has(t, "back", durable(0)) // resumed elsewhere
	a.saved(t, "back", a.Instance(), 11)
	c.has(t, "again", nil) // came back without a session
	claimed := make(chan struct{})
	a.claims.Claim("acme/chat/again/phone", a.Instance(), func(uint64, string, error) { close(claimed) })
	<-claimed
	kept := c.has(t, "waits", func(w *broker.Will) { w.Durable, w.Due = true, time.Now().Add(15*time.Second) })
	c.estate.Keep(kept, nil) // it dies before that is due
	c.saved(t, "waits", dead, 10)
	c.saved(t, "plain", dead, 10) // a session without a will

	way.cut()
	buried := func() bool {
		leases := await(t, func(fn func([]broker.Lease, error)) { a.Leases(fn) })
		return !slices.ContainsFunc(leases, func(l broker.Lease) bool { return l.Instance == dead })
	}
	eventually(t, "the dead node is buried", buried)

	want := "acme/chat/kept acme/chat/late acme/chat/one acme/chat/two acme/chat/waits acme/chat/zero"
	for _, n := range []*node{a, b} {
		eventually(t, "wills: "+want, func() bool { return strings.Join(n.topics(), " ") == want })
	}
	if wills := await(t, func(fn func([]*broker.Will, error)) { a.Wills(dead, fn) }); len(wills) > 0 {
		t.Errorf("%d wills are left", len(wills))
	}
	for _, name := range []string{"late", "plain", "waits"} {
		s := await(t, func(fn func(broker.Stored, error)) { a.Load("acme/chat/"+name+"/phone", fn) })
		if left := time.Until(s.Record.Expires); left < 50*time.Minute || left > time.Hour {
			t.Errorf("%s's session ends in %v", name, left)
		}
	}
	retained := a.Retained("acme/#")
	defer retained.Close()
	if all := await(t, func(fn func([]*broker.Message, error)) {
		retained.Next(10, func(all []*broker.Message, _ bool, err error) { fn(all, err) })
	}); len(all) != 1 || all[0].Topic != "acme/chat/kept" {
		t.Errorf("retained are %v", all)
	}
	disconnected(t, server, dead, "again kept late one plain two waits zero")
}

// disconnected checks who was told to be disconnected, each once.
func disconnected(t *testing.T, server *natsServer, instance, want string) {
	t.Helper()
	var users []string
	eventually(t, "events", func() bool {
		users = nil
		for _, e := range server.events() {
			if e.Type == broker.EventDisconnected && e.Instance == instance && e.Node == "c" && e.Reason == "node_lost" {
				users = append(users, e.User)
			}
		}
		return len(users) >= len(strings.Fields(want))
	})
	slices.Sort(users)
	if got := strings.Join(users, " "); got != want {
		t.Errorf("disconnected are %s, want %s", got, want)
	}
}

// An outage of NATS that is longer than any lease kills nobody.
func TestOutageKillsNobody(t *testing.T) {
	t.Parallel()
	server := startNATS(t)
	a := startNode(t, jetstream.Config{Node: "a", URL: "nats://" + server.host(), Shards: 2})
	b := startNode(t, jetstream.Config{Node: "b", URL: "nats://" + server.host(), Shards: 2})
	b.has(t, "ana", nil)
	leases := func() []broker.Lease { return await(t, func(fn func([]broker.Lease, error)) { a.Leases(fn) }) }
	before := leases()

	server.stop()
	wait(t, 11*time.Second)
	server.start()
	eventually(t, "NATS is back", func() bool { return a.Ready(t.Context()) == nil && b.Ready(t.Context()) == nil })
	renewed := func(all []broker.Lease) bool {
		return len(all) == 2 && !slices.ContainsFunc(all, func(l broker.Lease) bool {
			return slices.ContainsFunc(before, func(o broker.Lease) bool { return o == l })
		})
	}
	eventually(t, "both live on", func() bool { return renewed(leases()) })
	wait(t, 10*time.Second)
	for _, l := range leases() {
		if l.State != broker.LeaseAlive {
			t.Errorf("%s is taken for dead", l.Node)
		}
	}
	if topics := append(a.topics(), b.topics()...); len(topics) > 0 {
		t.Errorf("wills were published: %v", topics)
	}
}

// wait lets time pass for servers and clients that have real clocks.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

func TestOwnWills(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := startNode(t, jetstream.Config{Node: "alone", Dir: dir})
	finished := make(chan string, 10)
	finish := func(name string) func() { return func() { finished <- name } }

	now := n.has(t, "now", func(w *broker.Will) { w.Due = time.Now() })
	n.estate.Keep(now, finish("now"))
	soon := n.has(t, "soon", func(w *broker.Will) { w.Durable, w.Due = true, time.Now().Add(200*time.Millisecond) })
	n.estate.Keep(soon, finish("soon"))
	back := n.has(t, "back", func(w *broker.Will) { w.Durable, w.Due = true, time.Now().Add(300*time.Millisecond) })
	n.estate.Keep(back, finish("back"))
	n.estate.Forget(back.Key)
	await(t, func(fn func(struct{}, error)) {
		n.DropWill(back.Instance, back.Key, 0, func(err error) { fn(struct{}{}, err) })
	})
	later := n.has(t, "roused", func(w *broker.Will) { w.Durable, w.Due = true, time.Now().Add(time.Hour) })
	n.estate.Keep(later, nil)
	n.estate.Rouse(n.Instance(), later.Key, finish("roused"))
	n.estate.Rouse("somebody", later.Key, finish("nothing"))
	var all []string
	for range 5 {
		select {
		case name := <-finished:
			all = append(all, name)
		case <-time.After(patience):
			t.Fatalf("only %v came to an end", all)
		}
	}
	slices.Sort(all)
	if got := strings.Join(all, " "); got != "back nothing now roused soon" {
		t.Errorf("finished are %s", got)
	}
	if got := strings.Join(n.topics(), " "); got != "acme/chat/now acme/chat/roused acme/chat/soon" {
		t.Errorf("published are %s", got)
	}

	// What waits when the node stops is the business of its next start.
	waits := n.has(t, "waits", func(w *broker.Will) { w.Durable, w.Due = true, time.Now().Add(500*time.Millisecond) })
	n.estate.Keep(waits, nil)
	n.rest()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = startNode(t, jetstream.Config{Node: "alone", Dir: dir})
	eventually(t, "the will that waited", func() bool { return strings.Join(n.topics(), " ") == "acme/chat/waits" })
	eventually(t, "its instance is buried", func() bool {
		return len(await(t, func(fn func([]broker.Lease, error)) { n.Leases(fn) })) == 1
	})
}
