package ownership_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/ownership"
)

// world is some nodes, a store, claims and a network between them, all played
// from one seed.
type world struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	queue  events
	number int
	trace  []string

	nodes   []*node
	started int
	live    map[string]*node // by instance
	store   map[string]broker.Stored
	last    uint64 // revision
	wills   map[string]*broker.Will
	claims  map[string]claimed
	sent    map[string]int // wills published, by topic
	conns   []*conn

	// What goes wrong: in a thousand.
	loseWrites, loseNews, refuseStore int
	forgetful                         bool // the claims are forgotten now and then
	away                              bool // the store does not answer
}

type claimed struct {
	number   uint64
	instance string
}

// node is one instance at a time of a table and its driver.
type node struct {
	w     *world
	table *ownership.Table
	skew  time.Duration
	asks  map[uint64]ownership.Op // of others, by ticket
	wake  time.Time
	kept  []*broker.Will
}

// conn is a connection as an edge has it.
type conn struct {
	id      int
	key     string
	node    *node
	seat    *ownership.Seat
	durable bool
	clean   bool
	entered bool
	closed  bool
	refused error
	epoch   uint64
	floor   uint64 // of its session
	token   uint32
	asked   bool // a Persist waits for its answer
}

type eventAt struct {
	at time.Time
	n  int
	do func()
}

type events []eventAt

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || (e[i].at.Equal(e[j].at) && e[i].n < e[j].n)
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(eventAt)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

func newWorld(t *testing.T, seed uint64, nodes int) *world {
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_700_000_000, 0),
		live: map[string]*node{}, store: map[string]broker.Stored{}, wills: map[string]*broker.Will{},
		claims: map[string]claimed{}, sent: map[string]int{},
	}
	for range nodes {
		w.start()
	}
	return w
}

func (w *world) start() {
	w.started++
	n := &node{w: w, asks: map[uint64]ownership.Op{}, skew: time.Duration(w.random.IntN(20)) * time.Second}
	n.table = ownership.New(ownership.Config{Instance: "i" + strconv.Itoa(w.started), Seed: w.random.Uint64()})
	w.nodes = append(w.nodes, n)
	w.live[n.table.Instance()] = n
}

// kill ends a node without a goodbye.
func (w *world) kill(n *node) {
	w.logf("kill %s", n.table.Instance())
	delete(w.live, n.table.Instance())
	for i, other := range w.nodes {
		if other == n {
			w.nodes = append(w.nodes[:i:i], w.nodes[i+1:]...)
			break
		}
	}
	for _, c := range w.conns {
		if c.node == n {
			c.closed = true
		}
	}
}

func (n *node) alive() bool { return n.w.live[n.table.Instance()] == n }

func (w *world) logf(format string, args ...any) {
	w.trace = append(w.trace, w.now.Format("05.000 ")+fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s", strings.Join(w.trace, "\n"), fmt.Sprintf(format, args...))
}

func (w *world) chance(perMille int) bool { return w.random.IntN(1000) < perMille }

// after has something done in a while, or soon.
func (w *world) after(d time.Duration, do func()) {
	w.number++
	heap.Push(&w.queue, eventAt{at: w.now.Add(d), n: w.number, do: do})
}

func (w *world) soon(do func()) {
	w.after(time.Duration(w.random.IntN(20_000))*time.Microsecond, do)
}

func (w *world) run(until time.Time) {
	for len(w.queue) > 0 && !w.queue[0].at.After(until) {
		e := heap.Pop(&w.queue).(eventAt)
		w.now = e.at
		e.do()
	}
	w.now = until
}

func (w *world) pass(d time.Duration) { w.run(w.now.Add(d)) }

// step calls a node's table and does what it wants done.
func (n *node) step(do func(t *ownership.Table, now time.Time)) {
	if !n.alive() {
		return
	}
	do(n.table, n.w.now)
	for _, e := range n.table.Effects() {
		n.carryOut(e)
	}
	if at := n.table.Deadline(); !at.IsZero() && !at.Equal(n.wake) {
		n.wake = at
		n.w.after(max(at.Sub(n.w.now), 0), func() {
			n.wake = time.Time{}
			n.step(func(t *ownership.Table, now time.Time) { t.Tick(now) })
		})
	}
}

func (n *node) carryOut(e ownership.Effect) {
	w := n.w
	w.logf("%s %s %s %s epoch=%d rev=%d %v", n.table.Instance(), e.Kind, e.Key, e.Instance, e.Epoch, e.Revision, e.Err)
	if e.Record != nil {
		w.logf("  record of %s %d, floor %d, expires %v", e.Record.Owner, e.Record.Epoch, e.Record.Floor, !e.Record.Expires.IsZero())
	}
	switch e.Kind {
	case ownership.Claim:
		w.soon(func() { n.claim(e) })
	case ownership.Unclaim:
		if w.claims[e.Key].number == e.Number {
			delete(w.claims, e.Key)
		}
	case ownership.Ask:
		w.soon(func() { n.ask(e) })
	case ownership.Answer:
		w.answer(e.Ticket)
	case ownership.Load, ownership.Save, ownership.Erase, ownership.PutWill, ownership.DropWill, ownership.RouseWill:
		n.storeWork(e)
	case ownership.KeepWill:
		n.kept = append(n.kept, e.Will)
	case ownership.Announce:
		w.broadcast(n, func(t *ownership.Table, now time.Time) {
			t.Heard(n.table.Instance(), e.Key, e.Epoch, now)
		})
	case ownership.Assert:
		w.broadcast(n, func(t *ownership.Table, now time.Time) { t.HeardAll(n.table.Instance(), e.Claims, now) })
	case ownership.Enter, ownership.Refuse, ownership.Persisted, ownership.Evict:
		c := e.Seat.Conn.(*conn)
		w.soon(func() { c.hear(e) })
	default:
		w.fail("unknown effect %d", e.Kind)
	}
}

func (n *node) claim(e ownership.Effect) {
	w := n.w
	if w.forgetful && w.chance(100) {
		clear(w.claims)
	}
	former := w.claims[e.Key]
	number := max(uint64(w.now.Add(n.skew).UnixMicro()), former.number+1)
	w.claims[e.Key] = claimed{number, n.table.Instance()}
	if w.live[former.instance] == nil {
		former.instance = ""
	}
	w.soon(func() {
		n.step(func(t *ownership.Table, now time.Time) { t.Claimed(e.Seat, number, former.instance, nil, now) })
	})
}

func (n *node) ask(e ownership.Effect) {
	w := n.w
	other := w.live[e.Instance]
	switch {
	case other == nil:
		n.step(func(t *ownership.Table, now time.Time) { t.Done(e.Op, nil, now) })
	case !w.chance(w.loseNews):
		w.number++
		ticket := uint64(w.number)
		n.asks[ticket] = e.Op
		other.step(func(t *ownership.Table, now time.Time) { t.Asked(e.Key, ticket, now) })
	}
}

func (w *world) answer(ticket uint64) {
	if w.chance(w.loseNews) {
		return
	}
	w.soon(func() {
		for _, n := range w.nodes {
			if op, ok := n.asks[ticket]; ok {
				delete(n.asks, ticket)
				n.step(func(t *ownership.Table, now time.Time) { t.Done(op, nil, now) })
				return
			}
		}
	})
}

func (w *world) broadcast(from *node, do func(*ownership.Table, time.Time)) {
	for _, n := range w.nodes {
		if n != from && !w.chance(w.loseNews) {
			w.soon(func() { n.step(do) })
		}
	}
}

// storeWork carries an operation of the store out; its answer may be lost.
func (n *node) storeWork(e ownership.Effect) {
	w := n.w
	var record *broker.Record
	if e.Record != nil {
		r := *e.Record
		record = &r
	}
	var will *broker.Will
	if e.Will != nil {
		copied := *e.Will
		will = &copied
	}
	w.soon(func() {
		if w.away || w.chance(w.refuseStore) {
			w.soon(func() { n.answer(e, 0, broker.Stored{}, broker.ErrUnavailable) })
			return
		}
		revision, stored, err := n.apply(e, record, will)
		if w.chance(w.loseWrites) {
			revision, stored, err = 0, broker.Stored{}, broker.ErrUnavailable
		}
		w.soon(func() { n.answer(e, revision, stored, err) })
	})
}

func (n *node) apply(e ownership.Effect, record *broker.Record, will *broker.Will) (uint64, broker.Stored, error) {
	w := n.w
	switch e.Kind {
	case ownership.Load:
		stored := w.store[e.Key]
		if stored.Record != nil {
			r := *stored.Record
			stored.Record = &r
		}
		return 0, stored, nil
	case ownership.Save, ownership.Erase:
		if w.store[e.Key].Revision != e.Revision {
			return 0, broker.Stored{}, broker.ErrConflict
		}
		if w.last++; record == nil || (record.Floor == 0 && n.cleans(e.Key)) {
			delete(histories, e.Key)
		}
		w.store[e.Key] = broker.Stored{Record: record, Revision: w.last}
		return w.last, broker.Stored{}, nil
	case ownership.PutWill:
		w.last++
		will.Revision = w.last
		w.wills[will.Instance+" "+will.Key] = will
		return w.last, broker.Stored{}, nil
	case ownership.RouseWill:
		if will := w.wills[e.Instance+" "+e.Key]; will != nil {
			w.sent[will.Message.Topic] = 1
		}
	default:
	}
	delete(w.wills, e.Instance+" "+e.Key)
	for _, other := range w.nodes {
		if other.table.Instance() == e.Instance {
			other.kept = drop(other.kept, e.Key)
		}
	}
	return 0, broker.Stored{}, nil
}

// cleans reports whether a connection that ends the session may be claiming it.
func (n *node) cleans(key string) bool {
	for _, c := range n.w.conns {
		if c.node == n && c.key == key && c.clean && !c.entered {
			return true
		}
	}
	return false
}

func drop(kept []*broker.Will, key string) []*broker.Will {
	for i, w := range kept {
		if w.Key == key && !w.Due.IsZero() {
			return append(kept[:i:i], kept[i+1:]...)
		}
	}
	return kept
}

func (n *node) answer(e ownership.Effect, revision uint64, stored broker.Stored, err error) {
	n.step(func(t *ownership.Table, now time.Time) {
		switch e.Kind {
		case ownership.Load:
			t.Loaded(e.Op, stored, err, now)
		case ownership.Save, ownership.PutWill:
			t.Saved(e.Op, revision, err, now)
		default:
			t.Done(e.Op, err, now)
		}
	})
}

// connect opens a connection at a node.
func (w *world) connect(n *node, key string, r ownership.Request) *conn {
	c := &conn{id: len(w.conns), key: key, node: n, durable: r.Durable, clean: r.Clean}
	w.conns = append(w.conns, c)
	w.logf("%s connect c%d %s clean=%v durable=%v", n.table.Instance(), c.id, key, r.Clean, r.Durable)
	if r.Will != nil {
		r.Will.Message = &broker.Message{Topic: "w" + strconv.Itoa(c.id)}
	}
	n.step(func(t *ownership.Table, now time.Time) { c.seat = t.Connect(key, r, c, now) })
	return c
}

// hear is what a connection's loop does with an effect of the table.
func (c *conn) hear(e ownership.Effect) {
	if !c.node.alive() {
		return
	}
	w := c.node.w
	w.logf("c%d hears %s epoch=%d %v", c.id, e.Kind, e.Epoch, e.Err)
	switch e.Kind {
	case ownership.Enter:
		if c.closed {
			c.node.step(func(t *ownership.Table, now time.Time) {
				t.Close(c.seat, ownership.End{Record: ownership.Unused(e.Record, now), Settled: true}, now)
			})
			return
		}
		c.entered, c.epoch = true, e.Epoch
		if e.Record != nil {
			c.floor = e.Record.Floor
		}
		w.entered(c, e.Record)
	case ownership.Refuse:
		c.closed, c.refused = true, e.Err
	case ownership.Persisted:
		c.asked = false
		w.persisted(c, e)
	case ownership.Evict:
		c.end(ownership.End{Record: c.record(time.Hour)})
	default:
	}
}

func (c *conn) record(expiry time.Duration) *broker.Record {
	if !c.durable {
		return nil
	}
	return &broker.Record{Floor: c.floor, Expiry: expiry, Expires: c.node.w.now.Add(expiry)}
}

func (c *conn) end(end ownership.End) {
	if c.closed {
		return
	}
	c.closed = true
	c.node.w.logf("c%d ends entered=%v", c.id, c.entered)
	if !c.entered {
		c.node.step(func(t *ownership.Table, now time.Time) { t.Abandon(c.seat, now) })
		return
	}
	end.Settled = c.node.w.chance(500)
	c.node.step(func(t *ownership.Table, now time.Time) { t.Close(c.seat, end, now) })
	if !end.Settled && !c.node.w.chance(100) {
		c.node.w.soon(func() {
			c.node.step(func(t *ownership.Table, now time.Time) { t.Settled(c.seat, now) })
		})
	}
}

// persist moves the session on and has that written.
func (c *conn) persist() {
	if c.asked {
		return
	}
	c.asked = true
	c.floor++
	c.token++
	r := c.record(time.Hour)
	r.Expires = time.Time{}
	c.node.step(func(t *ownership.Table, now time.Time) { t.Persist(c.seat, r, c.token, now) })
}
