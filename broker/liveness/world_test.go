package liveness_test

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/liveness"
)

var errAway = errors.New("the store is away")

// world is a cluster in one goroutine: nodes with the shipped watch and estate,
// and a model of the store, the log and the claims.
type world struct {
	rand   *rand.Rand
	now    time.Time
	events events
	count  int
	nodes  []*node
	starts int

	away     bool // the store
	revision uint64
	leases   map[string]broker.Lease
	wills    map[[2]string]broker.Will
	records  map[string]broker.Stored
	claims   map[string]uint64

	published map[ulid.ULID][]time.Time // QoS 0: each; else the first
	spilt     map[ulid.ULID]bool        // QoS 0, lost on the way
	crashed   map[string]time.Time
	buried    map[string]bool
	told      map[string]int // events, by instance and key
	trace     []string
	broken    []string
}

// node is one start of one process. What comes for a node that is dead is lost.
type node struct {
	w        *world
	instance string
	watch    *liveness.Watch
	estate   *liveness.Estate
	alive    bool
	revision uint64
}

type event struct {
	at time.Time
	n  int
	do func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return cmp.Or(e[i].at.Compare(e[j].at), cmp.Compare(e[i].n, e[j].n)) < 0
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newWorld(seed uint64) *world {
	return &world{
		rand: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_700_000_000, 0),
		leases: map[string]broker.Lease{}, wills: map[[2]string]broker.Will{}, records: map[string]broker.Stored{},
		claims: map[string]uint64{}, published: map[ulid.ULID][]time.Time{}, spilt: map[ulid.ULID]bool{}, crashed: map[string]time.Time{},
		buried: map[string]bool{}, told: map[string]int{},
	}
}

func (w *world) after(d time.Duration, do func()) {
	w.count++
	heap.Push(&w.events, event{w.now.Add(d), w.count, do})
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for len(w.events) > 0 && !w.events[0].at.After(end) {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
	w.now = end
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, w.now.UTC().Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	w.note("BROKEN "+format, args...)
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

func (w *world) next() uint64 { w.revision++; return w.revision }

func (w *world) delay() time.Duration {
	if w.rand.IntN(20) == 0 {
		return time.Duration(w.rand.IntN(1500)) * time.Millisecond
	}
	return time.Duration(w.rand.IntN(20)) * time.Millisecond
}

func (w *world) start() *node {
	w.starts++
	n := &node{w: w, instance: fmt.Sprintf("i%d", w.starts), alive: true}
	n.watch = liveness.NewWatch(n.instance, 0)
	n.estate = liveness.NewEstate(liveness.Config{Instance: n.instance, Window: 4})
	n.revision = w.next()
	w.leases[n.instance] = broker.Lease{Instance: n.instance, Node: "node-" + n.instance, State: broker.LeaseAlive, Since: w.now, Revision: n.revision}
	w.nodes = append(w.nodes, n)
	w.note("%s starts", n.instance)
	n.renew()
	n.look()
	n.tick()
	return n
}

func (n *node) renew() {
	if !n.alive {
		return
	}
	if w := n.w; !w.away {
		switch l := w.leases[n.instance]; {
		case l.Revision == n.revision && l.State == broker.LeaseAlive:
			l.Revision = w.next()
			n.revision = l.Revision
			w.leases[n.instance] = l
		default:
			w.fail("%s lives and was declared dead", n.instance)
		}
	}
	n.w.after(2*time.Second+n.w.delay(), n.renew)
}

// look polls the leases.
func (n *node) look() {
	w, asked := n.w, n.w.now
	if !n.alive {
		return
	}
	away := w.away
	all := slices.Collect(maps.Values(w.leases))
	slices.SortFunc(all, func(a, b broker.Lease) int { return cmp.Compare(a.Instance, b.Instance) })
	w.after(w.delay(), func() {
		switch {
		case !n.alive:
			return
		case away:
			n.watch.Missed()
		default:
			for _, l := range n.watch.Observe(all, asked, w.now) {
				n.declare(l)
			}
			n.estate.Observe(all, w.now)
			n.pump()
		}
		w.after(time.Second, n.look)
	})
}

func (n *node) declare(l broker.Lease) {
	w := n.w
	w.after(w.delay(), func() {
		now := w.leases[l.Instance]
		if w.away || now.Revision != l.Revision {
			return
		}
		w.note("%s declares %s dead", n.instance, l.Instance)
		if w.crashed[l.Instance].IsZero() {
			w.fail("%s is declared dead and is not", l.Instance)
		}
		now.State, now.Since, now.Revision = broker.LeaseDead, w.now, w.next()
		w.leases[l.Instance] = now
	})
}

func (n *node) tick() {
	if !n.alive {
		return
	}
	n.estate.Tick(n.w.now)
	n.pump()
	n.w.after(200*time.Millisecond, n.tick)
}

func (n *node) crash() {
	n.alive = false
	n.w.crashed[n.instance] = n.w.now
	n.w.note("%s crashes", n.instance)
}

// pump carries out effects. Some are carried out and their answers get lost.
func (n *node) pump() {
	w := n.w
	for _, e := range n.estate.Effects() {
		switch e.Kind {
		case liveness.Emit:
			w.told[e.Event.Instance+" "+broker.SessionKey(e.Event.Org, e.Event.App, e.Event.User, e.Event.ClientID)]++
			continue
		case liveness.Finished:
			e.Ref.(func())()
			continue
		default:
		}
		w.after(w.delay(), func() {
			lost := w.rand.IntN(30) == 0
			if w.away || (lost && w.rand.IntN(2) == 0) {
				if e.Kind == liveness.Publish && e.Message.QoS == 0 {
					w.spilt[e.Message.ID] = true
				}
				n.answer(e, result{err: errAway})
				return
			}
			r := w.do(n, e)
			if lost && e.Kind != liveness.Take { // its answer is settled by the store
				r = result{err: errAway}
			}
			w.after(w.delay(), func() { n.answer(e, r) })
		})
	}
}

type result struct {
	wills  []*broker.Will
	keys   []string
	stored broker.Stored
	number uint64
	err    error
}

func (n *node) answer(e liveness.Effect, r result) {
	if !n.alive {
		return
	}
	now := n.w.now
	switch e.Kind {
	case liveness.ListWills, liveness.Fetch:
		n.estate.Listed(e.Op, r.wills, r.err, now)
	case liveness.ListOrphans:
		n.estate.Orphaned(e.Op, r.keys, r.err, now)
	case liveness.Load:
		n.estate.Loaded(e.Op, r.stored, r.err, now)
	case liveness.Hold:
		n.estate.Held(e.Op, r.number, r.err, now)
	default:
		n.estate.Done(e.Op, r.err, now)
	}
	n.pump()
}

func (w *world) do(n *node, e liveness.Effect) (r result) {
	switch e.Kind {
	case liveness.ListWills, liveness.Fetch:
		for id, will := range w.wills {
			if id[0] == e.Instance && (e.Key == "" || e.Key == id[1]) {
				r.wills = append(r.wills, &will)
			}
		}
		slices.SortFunc(r.wills, func(a, b *broker.Will) int { return cmp.Compare(a.Revision, b.Revision) })
	case liveness.ListOrphans:
		for key, s := range w.records {
			if s.Record.Owner == e.Instance && s.Record.Expires.IsZero() {
				r.keys = append(r.keys, key)
			}
		}
		slices.Sort(r.keys)
	case liveness.Load:
		r.stored = w.records[e.Key]
	case liveness.Hold:
		r.number = w.claims[e.Key]
	case liveness.Publish:
		w.publish(n, e.Message)
	case liveness.Take:
		id := [2]string{e.Instance, e.Key}
		if w.wills[id].Revision != e.Revision {
			r.err = broker.ErrConflict
			return r
		}
		delete(w.wills, id)
	case liveness.Save:
		if w.records[e.Key].Revision != e.Revision {
			r.err = broker.ErrConflict
			return r
		}
		w.records[e.Key] = broker.Stored{Record: e.Record, Revision: w.next()}
	case liveness.Bury:
		w.note("%s buries %s", n.instance, e.Lease.Instance)
		if w.leases[e.Lease.Instance].Revision != e.Lease.Revision {
			r.err = broker.ErrConflict
			return r
		}
		delete(w.leases, e.Lease.Instance)
		w.buried[e.Lease.Instance] = true
	default: // pump has done it
	}
	return r
}

func (w *world) publish(n *node, m *broker.Message) {
	w.note("%s publishes %s", n.instance, m.Topic)
	if !m.Undated {
		w.fail("%s is published in the hour of its ID", m.Topic)
	}
	if m.QoS == 0 || len(w.published[m.ID]) == 0 {
		w.published[m.ID] = append(w.published[m.ID], w.now)
	}
}
