package liveness_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/liveness"
)

var (
	oneSeed = flag.Uint64("liveness.seed", 0, "replay this seed alone, with its trace")
	seeds   = flag.Uint64("liveness.seeds", 300, "how many seeds to try")
)

// client is one connection with a will, and what became of it.
type client struct {
	key     string
	will    broker.Will
	node    *node
	durable bool
	ended   time.Time // by itself; zero: it went down with its node
	kept    bool      // ended in a way that leaves its will to wait
	back    time.Time // connected again elsewhere; zero: never
	roused  bool      // that ended the session
}

// Whatever happens to nodes and the store, a will is published once if its
// client stays away, and not if it is back before; nobody who lives is declared
// dead; and nothing is left in the end.
func TestEstate(t *testing.T) {
	t.Parallel()
	first, last := uint64(1), *seeds
	if *oneSeed != 0 {
		first, last = *oneSeed, *oneSeed
	}
	var sums counts
	for seed := first; seed <= last; seed++ {
		w := newWorld(seed)
		w.play(&sums)
		if *oneSeed != 0 || len(w.broken) > 0 {
			t.Logf("seed %d:\n%s", seed, strings.Join(w.trace, "\n"))
		}
		if len(w.broken) > 0 {
			t.Fatalf("seed %d (-liveness.seed=%d): %s", seed, seed, strings.Join(w.broken, "; "))
		}
	}
	if t.Logf("%+v", sums); *oneSeed == 0 && (sums.published == 0 || sums.back == 0 || sums.heirs == 0 || sums.outages == 0 || sums.roused == 0) {
		t.Errorf("nothing was tried: %+v", sums)
	}
}

type counts struct{ published, back, heirs, outages, roused int }

func (w *world) play(sums *counts) {
	for range 3 {
		w.start()
	}
	var clients []*client
	for i := range 12 {
		clients = append(clients, w.connect(i))
	}
	w.run(time.Duration(w.rand.IntN(5000)) * time.Millisecond)
	for range 3 + w.rand.IntN(5) {
		w.disturb(clients, sums)
		w.run(time.Duration(w.rand.IntN(12_000)) * time.Millisecond)
	}
	w.away = false
	w.start()
	w.run(5 * time.Minute)
	w.judge(clients, sums)
}

func (w *world) alive() *node {
	for _, n := range w.nodes[w.rand.IntN(len(w.nodes)):] {
		if n.alive {
			return n
		}
	}
	return w.start()
}

func (w *world) connect(i int) *client {
	n := w.nodes[w.rand.IntN(3)]
	c := &client{key: fmt.Sprintf("acme/chat/user/%d", i), node: n, durable: w.rand.IntN(3) > 0}
	id := ulid.MustNew(uint64(w.now.UnixMilli()), zeros{byte(i)})
	c.will = broker.Will{
		Instance: n.instance, Key: c.key, Epoch: 10, Durable: c.durable,
		Message: &broker.Message{ID: id, Topic: fmt.Sprintf("acme/gone/%d", i), QoS: byte(w.rand.IntN(3))}, Revision: w.next(),
	}
	if c.durable {
		c.will.Delay = time.Duration(w.rand.IntN(100)) * time.Second * time.Duration(w.rand.IntN(2))
		w.records[c.key] = broker.Stored{Record: &broker.Record{Owner: n.instance, Epoch: 10, Expiry: time.Hour}, Revision: w.next()}
	} else {
		w.claims[c.key] = 10
	}
	w.wills[[2]string{n.instance, c.key}] = c.will
	w.note("%s connects to %s, QoS %d, durable %v, delay %v", c.key, n.instance, c.will.Message.QoS, c.durable, c.will.Delay)
	return c
}

type zeros []byte

func (z zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = z[0]
	}
	return len(p), nil
}

func (w *world) disturb(clients []*client, sums *counts) {
	c := clients[w.rand.IntN(len(clients))]
	switch w.rand.IntN(7) {
	case 0, 1:
		w.alive().crash()
	case 2:
		w.start()
	case 3:
		sums.outages++
		w.note("the store goes away")
		w.away = true
		w.after(time.Duration(w.rand.IntN(60_000))*time.Millisecond, func() { w.away = false; w.note("the store is back") })
	case 4, 5:
		w.comeBack(c)
	case 6:
		w.drop(c)
	}
}

// drop ends a connection while its node lives, so that the will waits there.
func (w *world) drop(c *client) {
	if !c.node.alive || !c.back.IsZero() || !c.ended.IsZero() || !c.durable || w.away {
		return
	}
	c.ended, c.kept = w.now, true
	w.note("%s is lost", c.key)
	c.will.Due, c.will.Revision = w.now.Add(c.will.Delay), w.next()
	w.wills[[2]string{c.will.Instance, c.key}] = c.will
	s := w.records[c.key]
	r := *s.Record
	r.Expires = w.now.Add(r.Expiry)
	w.records[c.key] = broker.Stored{Record: &r, Revision: w.next()}
	kept := c.will
	c.node.estate.Keep(&kept, nil, w.now)
	c.node.pump()
}

// comeBack connects the client again: it writes its record, and sees to the will
// of the connection before.
func (w *world) comeBack(c *client) {
	n := w.alive()
	if w.away || !c.back.IsZero() || (c.node.alive && !c.kept) {
		return
	}
	c.back = w.now
	w.note("%s is back on %s", c.key, n.instance)
	if !c.durable {
		w.claims[c.key] = 20
		return
	}
	clean := w.rand.IntN(3) == 0
	w.records[c.key] = broker.Stored{Record: &broker.Record{Owner: n.instance, Epoch: 20, Expiry: time.Hour}, Revision: w.next()}
	if !clean {
		delete(w.wills, [2]string{c.will.Instance, c.key})
		if n == c.node {
			n.estate.Forget(c.key, w.now)
			n.pump()
		}
		return
	}
	c.roused = true
	n.estate.Rouse(c.will.Instance, c.key, func() { w.note("%s's will is roused", c.key) }, w.now)
	n.pump()
}

func (w *world) judge(clients []*client, sums *counts) {
	for _, c := range clients {
		w.judgeWill(c, sums)
	}
	for instance, l := range w.leases {
		if l.State != broker.LeaseAlive {
			w.fail("%s is not buried", instance)
		} else if !w.crashed[instance].IsZero() {
			w.fail("%s is dead and nobody says so", instance)
		}
	}
	for id := range w.wills {
		if !w.crashed[id[0]].IsZero() {
			w.fail("the will of %s is left", id[1])
		}
	}
	for key, s := range w.records {
		if r := s.Record; r.Expires.IsZero() && !w.crashed[r.Owner].IsZero() {
			w.fail("the session of %s lives for ever", key)
		}
	}
	for what, n := range w.told {
		if n > 1 {
			w.fail("%d events of %s", n, what)
		}
	}
}

func (w *world) judgeWill(c *client, sums *counts) {
	times := w.published[c.will.Message.ID]
	died := w.crashed[c.will.Instance]
	if len(times) > 1 {
		w.fail("the will of %s is published %d times", c.key, len(times))
	}
	switch {
	case c.roused || (died.IsZero() && !c.kept):
		sums.roused++ // by chance: the node that roused it may have died
		if died.IsZero() && !c.kept && len(times) > 0 {
			w.fail("the will of %s is published, and it is there", c.key)
		}
	case !c.back.IsZero() && len(times) > 0 && c.back.Before(w.due(c).Add(-time.Second)):
		w.fail("the will of %s is published at %v, and it was back at %v", c.key, times[0].UTC(), c.back.UTC())
	case !c.back.IsZero():
		sums.back++
	case len(times) == 0 && (c.will.Message.QoS > 0 || (len(w.crashed) == 1 && !w.spilt[c.will.Message.ID])):
		w.fail("the will of %s is not published", c.key)
	case len(times) == 1 && times[0].Before(w.due(c)):
		w.fail("the will of %s is published at %v, and due at %v", c.key, times[0].UTC(), w.due(c).UTC())
	case len(times) == 1:
		sums.published++
		if len(w.crashed) > 1 {
			sums.heirs++
		}
	}
}

// due is the earliest time at which the will can be published.
func (w *world) due(c *client) time.Time {
	if c.kept {
		return c.will.Due
	}
	if died := w.crashed[c.will.Instance]; !died.IsZero() {
		return died.Add(2*liveness.Period - 4*time.Second + c.will.Delay)
	}
	return time.Time{}
}
