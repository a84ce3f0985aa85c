package ownership_test

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/ownership"
)

var (
	seeds = flag.Uint64("seeds", 400, "how many random worlds to play")
	seed  = flag.Uint64("seed", 0, "the one world to play")
)

// history is what is known for certain of a session.
type history struct {
	floor uint64 // of the newest record that was acknowledged
	epoch uint64 // of who wrote it
}

var histories map[string]*history

func (w *world) history(key string) *history {
	h := histories[key]
	if h == nil {
		h = new(history)
		histories[key] = h
	}
	return h
}

// entered checks that nothing that was acknowledged is missing in a record.
func (w *world) entered(c *conn, r *broker.Record) {
	h := w.history(c.key)
	switch {
	case c.epoch < h.epoch: // fenced before its loop heard of it
	case !c.durable: // its epoch is its claim's, and the record is gone
		*h = history{}
	case r == nil:
		*h = history{epoch: c.epoch}
	case r.Floor < h.floor:
		w.fail("c%d resumes at %d, but %d was acknowledged to epoch %d", c.id, r.Floor, h.floor, h.epoch)
	default:
		h.epoch = c.epoch
	}
}

// persisted checks that a fenced owner's write was not taken.
func (w *world) persisted(c *conn, e ownership.Effect) {
	switch h := w.history(c.key); {
	case errors.Is(e.Err, broker.ErrConflict):
		c.end(ownership.End{})
	case e.Err == nil && c.epoch < h.epoch && c.floor > h.floor:
		w.fail("c%d has written with epoch %d after epoch %d had", c.id, c.epoch, h.epoch)
	case e.Err == nil && e.Token == c.token && c.epoch >= h.epoch:
		*h = history{floor: c.floor, epoch: c.epoch}
	}
}

// TestOneOwner plays clients of one identifier that connect anywhere, at the
// same time, while messages, answers and nodes are lost.
func TestOneOwner(t *testing.T) {
	first, last := uint64(1), *seeds
	if *seed != 0 {
		first, last = *seed, *seed
	}
	for s := first; s <= last; s++ {
		if ok := t.Run(fmt.Sprint(s), func(t *testing.T) { playOne(t, s) }); !ok {
			return
		}
	}
}

func playOne(t *testing.T, seed uint64) {
	histories = map[string]*history{}
	w := newWorld(t, seed, 3)
	w.forgetful = w.chance(300)
	w.loseNews = w.random.IntN(3) * 150
	w.loseWrites = w.random.IntN(3) * 60
	w.refuseStore = w.random.IntN(2) * 50
	crashes := w.chance(500)
	durable, clean := w.chance(700), w.chance(300)
	for range 6 + w.random.IntN(20) {
		w.pass(time.Duration(w.random.IntN(w.pauses())) * time.Millisecond)
		w.act(crashes, durable, clean)
	}
	w.away, w.loseNews, w.loseWrites, w.refuseStore, w.forgetful = false, 0, 0, 0, false
	w.pass(4 * time.Minute) // assertions, retries, patience
	w.settled()
	// Now that all is well a new connection gets the session.
	c := w.connect(w.nodes[0], "acme/chat/ana/phone", w.request(true, false))
	w.pass(4 * time.Minute)
	if !c.entered || c.closed {
		w.fail("c%d did not get the session: %v", c.id, c.refused)
	}
	w.settled()
}

func (w *world) pauses() int {
	if w.chance(300) {
		return 5_000
	}
	return 60
}

func (w *world) request(durable, clean bool) ownership.Request {
	r := ownership.Request{Durable: durable, Clean: clean, Expiry: time.Hour}
	if w.chance(500) {
		r.Will = &broker.Will{Delay: time.Duration(w.random.IntN(2)) * time.Minute}
	}
	return r
}

// act does one thing at random.
func (w *world) act(crashes, durable, clean bool) {
	var open []*conn
	for _, c := range w.conns {
		if !c.closed {
			open = append(open, c)
		}
	}
	n := w.nodes[w.random.IntN(len(w.nodes))]
	switch dice := w.random.IntN(100); {
	case crashes && dice < 8:
		w.kill(n)
		w.start()
	case dice < 12:
		w.away = !w.away
	case dice < 60 || len(open) == 0:
		w.connect(n, "acme/chat/ana/phone", w.request(durable || w.chance(200), clean && w.chance(500)))
	case dice < 76:
		c := open[w.random.IntN(len(open))]
		if c.entered && c.durable {
			c.persist()
		}
	case dice < 80:
		c := open[w.random.IntN(len(open))]
		if c.entered {
			c.node.step(func(t *ownership.Table, now time.Time) { t.Disown(c.seat, now) })
			w.after(4*time.Minute, func() { w.disowned(c) })
		}
	default:
		c := open[w.random.IntN(len(open))]
		end := ownership.End{Record: c.record(time.Hour)}
		if w.chance(500) {
			end.Will = &broker.Will{
				Instance: c.node.table.Instance(), Key: c.key, Epoch: c.epoch, Message: &broker.Message{Topic: "end"},
				Due: w.now.Add(time.Duration(w.random.IntN(2)) * time.Hour),
			}
		}
		c.end(end)
	}
}

// disowned checks that the store has not kept a will that is not to be
// published, unless the connection has left another since, or the node is dead.
func (w *world) disowned(c *conn) {
	for name, will := range w.wills {
		if !c.closed && !w.away && will.Instance == c.node.table.Instance() && will.Key == c.key && will.Epoch == c.epoch {
			w.fail("the will %s of c%d is still there", name, c.id)
		}
	}
}

// settled checks a world in which nothing is under way any more.
func (w *world) settled() {
	holders := 0
	for _, c := range w.conns {
		switch {
		case c.closed:
		case !c.entered:
			w.fail("c%d still waits", c.id)
		default:
			holders++
		}
	}
	if holders > 1 {
		w.fail("%d connections have the session", holders)
	}
	for _, n := range w.nodes {
		if n.table.Unsaved() != 0 {
			w.fail("%s has unsaved sessions", n.table.Instance())
		}
		if n.table.Len() > holders {
			w.fail("%s has %d seats", n.table.Instance(), n.table.Len())
		}
	}
	w.storeIsTidy()
}

// storeIsTidy checks that the store has the wills of those who hold a session,
// those that wait, and those of the dead: no others.
func (w *world) storeIsTidy() {
	for name, will := range w.wills {
		n := w.live[will.Instance]
		held := n == nil
		for _, c := range w.conns {
			held = held || (!c.closed && c.node == n && c.epoch == will.Epoch)
		}
		if n != nil {
			for _, kept := range n.kept {
				held = held || kept.Key == will.Key
			}
		}
		if !held {
			w.fail("nobody cares for the will %s of epoch %d", name, will.Epoch)
		}
	}
	for key, s := range w.store {
		r := s.Record
		if r == nil || !r.Expires.IsZero() || w.live[r.Owner] == nil {
			continue
		}
		held := false
		for _, c := range w.conns {
			held = held || (!c.closed && c.epoch == r.Epoch && c.node.table.Instance() == r.Owner)
		}
		if !held {
			w.fail("the record of %s says that epoch %d holds it", key, r.Epoch)
		}
	}
}

// TestSimultaneousConnects: three connections of one client at once on three
// nodes, any mix of kinds, end with exactly one.
func TestSimultaneousConnects(t *testing.T) {
	for s := range *seeds {
		histories = map[string]*history{}
		w := newWorld(t, s+1, 3)
		w.loseNews = int(s%3) * 100
		for i, n := range w.nodes {
			w.connect(n, "acme/chat/ana/phone", w.request((s+uint64(i))%4 != 0, s%5 == 0))
			if w.chance(500) {
				w.pass(time.Duration(w.random.IntN(30)) * time.Millisecond)
			}
		}
		w.pass(20 * time.Second)
		w.loseNews = 0
		w.pass(3 * time.Minute)
		w.settled()
		var open []string
		for _, c := range w.conns {
			if !c.closed {
				open = append(open, fmt.Sprint("c", c.id))
			}
		}
		if len(open) != 1 {
			w.fail("seed %d: open are [%s]", s+1, strings.Join(open, " "))
		}
	}
}
