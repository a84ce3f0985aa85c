package liveness

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// Config is what an estate has to know.
type Config struct {
	// Instance is this node's, as wills and leases name it.
	Instance string
	// Window is how many effects may wait for their answers. Zero means 256.
	Window int
	// Linger is how long after a death it is still looked for what the dead has
	// left: what it wrote last may come late. Zero means 30 seconds.
	Linger time.Duration
}

func (c Config) filled() Config {
	if c.Window == 0 {
		c.Window = 256
	}
	if c.Linger == 0 {
		c.Linger = 30 * time.Second
	}
	return c
}

const (
	// horizon is how long before they are due wills are kept in memory. Others
	// are read again then: of the gone the whole, of our own the messages.
	horizon = time.Minute
	// pause is between two readings of what a gone instance has left.
	pause = time.Second
)

// Estate looks after what instances have left that are gone, and after the
// wills of this instance's own clients that wait. One instance looks after
// another; should it go as well, the next one begins anew: a will is published
// under an ID that it has, and removed afterwards, so that nothing is forgotten
// and nothing is published twice.
type Estate struct {
	cfg     Config
	doubt   bool
	houses  map[string]*house
	kept    map[string]*will // of this instance, by key
	waiting queue            // until a time
	ready   []task           // wait for room in the window
	asked   map[uint64]func(answer, time.Time)
	last    uint64 // op
	effects []Effect
}

// task is something that is done step by step. Each step asks for something or
// comes to an end.
type task interface {
	step(e *Estate, now time.Time)
	when() *timer
}

// NewEstate returns an estate that has nothing to look after.
func NewEstate(cfg Config) *Estate {
	return &Estate{
		cfg: cfg.filled(), houses: make(map[string]*house), kept: make(map[string]*will),
		asked: make(map[uint64]func(answer, time.Time)),
	}
}

// Observe takes all leases as the store has them. It says who is gone, and whose
// business that is.
func (e *Estate) Observe(leases []broker.Lease, now time.Time) {
	var living []string
	for _, l := range leases {
		if l.State == broker.LeaseAlive {
			living = append(living, l.Instance)
		}
	}
	listed := make(map[string]bool, len(leases))
	for _, l := range leases {
		if l.State != broker.LeaseDead && l.State != broker.LeaseLeft {
			continue
		}
		listed[l.Instance] = true
		h := e.houses[l.Instance]
		if h == nil {
			h = &house{since: now}
			e.houses[l.Instance] = h
			e.wait(h, now)
		}
		h.lease, h.ours = l, heir(l.Instance, living) == e.cfg.Instance
	}
	for instance, h := range e.houses {
		if !listed[instance] {
			e.waiting.remove(h)
			h.ours = false
			delete(e.houses, instance)
		}
	}
	e.Tick(now)
}

// heir is the one of the living that looks after an instance that is gone:
// each looks after as many as any other, and none has to be told.
func heir(gone string, living []string) string {
	best, highest := "", uint64(0)
	for _, l := range living {
		if h := hash(gone, l); best == "" || h > highest || (h == highest && l > best) {
			best, highest = l, h
		}
	}
	return best
}

// hash is FNV-1a of both names.
func hash(a, b string) uint64 {
	h := uint64(14695981039346656037)
	for _, s := range []string{a, "/", b} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
	}
	return h
}

// Keep publishes a will of this instance when it is Due, unless its client is
// back by then, and removes it from the store if it has a Revision. One without
// a Delay that is due now is published whoever is back; one with a Delay is not,
// even if it comes here too late. Finished with ref follows, if that is not nil.
func (e *Estate) Keep(w *broker.Will, ref any, now time.Time) {
	e.forget(w.Key) // the client was back, since it is gone again
	sure := !e.doubt && (!w.Durable || (w.Delay == 0 && !w.Due.After(now)))
	t := &will{will: w, from: w.Instance, key: w.Key, refs: refs(ref), sure: sure}
	if w.Revision != 0 && w.Due.After(now.Add(horizon)) {
		t.will = light(w)
	}
	e.kept[w.Key] = t
	e.wait(t, w.Due)
	e.Tick(now)
}

// Doubt says whether the others may have declared this instance dead. Then they
// may have looked after its wills already, and its clients may long be back: a
// will that Keep is given is published only if that is not so.
func (e *Estate) Doubt(doubt bool) { e.doubt = doubt }

// Forget says that the client of key is back on this node before its will was
// due.
func (e *Estate) Forget(key string, now time.Time) {
	e.forget(key)
	e.Tick(now)
}

// forget takes a kept will back, wherever it is, unless it is being published.
func (e *Estate) forget(key string) {
	t := e.kept[key]
	if t == nil || t.sure {
		return
	}
	delete(e.kept, key)
	t.cancelled = true
	e.waiting.remove(t)
	e.finish(t.refs)
}

// Rebirth gives the node a new instance. The wills that it keeps stay those of
// the one before.
func (e *Estate) Rebirth(instance string) { e.cfg.Instance = instance }

// Rouse publishes the will that waits for the session of key, left by a
// connection of instance, as the session has ended. Finished with ref follows
// when it is safe, or when there is none.
func (e *Estate) Rouse(instance, key string, ref any, now time.Time) {
	if t := e.kept[key]; t != nil && t.will.Instance == instance {
		t.sure, t.refs = true, append(t.refs, refs(ref)...)
		if e.waiting.remove(t) {
			e.ready = append(e.ready, t)
		}
	} else {
		e.ready = append(e.ready, &will{from: instance, key: key, refs: refs(ref), sure: true})
	}
	e.Tick(now)
}

// Kept is how many wills of this instance wait.
func (e *Estate) Kept() int { return len(e.kept) }

// Tick does what is due.
func (e *Estate) Tick(now time.Time) {
	for t := e.waiting.due(now); t != nil; t = e.waiting.due(now) {
		e.ready = append(e.ready, t)
	}
	for len(e.ready) > 0 && len(e.asked) < e.cfg.Window {
		t := e.ready[0]
		e.ready[0] = nil
		if e.ready = e.ready[1:]; len(e.ready) == 0 {
			e.ready = nil
		}
		t.step(e, now)
	}
}

// Deadline is when Tick wants to be called next; zero: nothing waits.
func (e *Estate) Deadline() time.Time { return e.waiting.first() }

// Effects drains what the driver has to do, in order. The slice is the
// caller's.
func (e *Estate) Effects() []Effect {
	effects := e.effects
	e.effects = nil
	return effects
}

// Listed answers ListWills and Fetch.
func (e *Estate) Listed(op uint64, wills []*broker.Will, err error, now time.Time) {
	e.answered(op, answer{wills: wills, err: err}, now)
}

// Orphaned answers ListOrphans.
func (e *Estate) Orphaned(op uint64, keys []string, err error, now time.Time) {
	e.answered(op, answer{keys: keys, err: err}, now)
}

// Loaded answers Load.
func (e *Estate) Loaded(op uint64, stored broker.Stored, err error, now time.Time) {
	e.answered(op, answer{stored: stored, err: err}, now)
}

// Held answers Hold with the number of the claim; 0: nobody has one.
func (e *Estate) Held(op, number uint64, err error, now time.Time) {
	e.answered(op, answer{number: number, err: err}, now)
}

// Done answers the other effects that have an Op.
func (e *Estate) Done(op uint64, err error, now time.Time) {
	e.answered(op, answer{err: err}, now)
}

func (e *Estate) answered(op uint64, a answer, now time.Time) {
	fn := e.asked[op]
	if fn == nil {
		return
	}
	delete(e.asked, op)
	fn(a, now)
	e.Tick(now)
}

// ask emits an effect; then gets its answer.
func (e *Estate) ask(effect Effect, then func(answer, time.Time)) {
	e.last++
	effect.Op = e.last
	e.asked[e.last] = then
	e.effects = append(e.effects, effect)
}

// finish tells those who wait for something.
func (e *Estate) finish(refs []any) {
	for _, ref := range refs {
		e.effects = append(e.effects, Effect{Kind: Finished, Ref: ref})
	}
}

func refs(ref any) []any {
	if ref == nil {
		return nil
	}
	return []any{ref}
}

// wait lets a task's next step be taken at a time.
func (e *Estate) wait(t task, at time.Time) {
	t.when().at = at
	e.waiting.push(t)
}

// again lets a step be tried once more, after longer and longer.
func (e *Estate) again(t task, now time.Time) {
	w := t.when()
	delay := min(250*time.Millisecond<<min(w.tries, 7), 30*time.Second)
	w.tries++
	e.wait(t, now.Add(delay))
}
