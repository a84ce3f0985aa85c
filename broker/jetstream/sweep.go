package jetstream

import (
	"context"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// turn is how long a pass goes on while readings wait that it does not serve:
	// long enough for what it finds ahead to be worth its beginning.
	turn = 1500 * time.Millisecond
	// pagePatience is how long anyone waits for a full page once there is
	// progress.
	pagePatience = 250 * time.Millisecond
	// fewReaders is for how many readings a pass may become narrower.
	fewReaders = 4
	// passIdle is how long a pass that nobody waits for is kept open.
	passIdle = 2 * time.Second
	// keptIdle is how long what was found ahead is kept for its next query.
	keptIdle = 30 * time.Second
	// sweepTick is how often idle things are looked for.
	sweepTick = time.Second
	// seeAtOnce is how many messages are handed out under one lock, as callers
	// of Read must not wait.
	seeAtOnce = 64
)

// sweep is the shared scan of one shard. Queries that a probe cannot answer
// become readings; one pass through the stream serves all that wait, and notes
// for each what follows its page. One goroutine makes the passes.
type sweep struct {
	bus   *Bus
	shard uint16
	bell  bell
	gate  *gate // of probes

	mu      sync.Mutex // guards the fields below and all readings
	closed  bool
	waiting map[*reading]struct{} // for a pass that serves them
	joined  map[*reading]struct{} // attached to the pass
	recent  recent
	kept    map[uint64]*reading // by key: go on from here
	broad   broad
	pass    *pass // changed by the goroutine alone
	err     error // why the last pass failed
}

// answered is an answer to be given once no lock is held.
type answered struct {
	fn   func(broker.Page, error)
	page broker.Page
	err  error
}

func give(answers []answered) {
	for _, a := range answers {
		a.fn(a.page, a.err)
	}
}

func newSweep(b *Bus, shard int) *sweep {
	return &sweep{
		bus: b, shard: uint16(shard), bell: bell{rung: make(chan struct{}, 1)}, gate: newGate(), //nolint:gosec // at most maxShards
		waiting: make(map[*reading]struct{}), joined: make(map[*reading]struct{}),
		recent: newRecent(b.shards),
		kept:   make(map[uint64]*reading), broad: newBroad(),
	}
}

var hashSeed = maphash.MakeSeed()

// queryKey names a query by its filters and where it begins.
func queryKey(filters []string, after uint64) uint64 {
	var h maphash.Hash
	h.SetSeed(hashSeed)
	for _, f := range filters {
		_, _ = h.WriteString(f)
		_ = h.WriteByte(0)
	}
	for range 8 {
		_ = h.WriteByte(byte(after))
		after >>= 8
	}
	return h.Sum64()
}

// goOn answers a query from what was found for the one before it, or by a scan
// if it is known to need one. It reports false if a probe has to be tried.
func (s *sweep) goOn(q broker.Query, fn func(broker.Page, error)) bool {
	now, key := time.Now(), queryKey(q.Filters, q.After)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	r := s.kept[key]
	if r != nil && r.fn == nil && r.after == q.After && slices.Equal(r.filters, q.Filters) {
		delete(s.kept, r.key)
	} else if s.broad.has(q.Filters, now) {
		r = &reading{filters: q.Filters, after: q.After, upTo: q.After}
	} else {
		return false
	}
	s.ask(r, q, fn, now)
	return true
}

// join queues a query that no probe is to answer; refused says that none can.
func (s *sweep) join(q broker.Query, refused bool, fn func(broker.Page, error)) {
	now := time.Now()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		fn(broker.Page{}, errClosed)
		return
	}
	defer s.mu.Unlock()
	if refused {
		note(s.broad.queries, q.Filters, now)
	}
	s.ask(&reading{filters: q.Filters, after: q.After, upTo: q.After}, q, fn, now)
}

// ask has fn called with the next page of r.
func (s *sweep) ask(r *reading, q broker.Query, fn func(broker.Page, error), now time.Time) {
	s.bus.counters.scans.Add(1)
	r.fn, r.limit, r.asked = fn, limit(q.Limit), now
	if !r.attached {
		s.waiting[r] = struct{}{}
	}
	s.bell.ring()
}

// run makes passes until ctx ends.
func (s *sweep) run(ctx context.Context) {
	tick := time.NewTicker(sweepTick)
	defer tick.Stop()
	idle := time.Time{} // since when nobody waits
	for {
		for s.step(ctx) {
			idle = time.Now()
		}
		select {
		case <-s.bell.rung:
			s.bell.heard()
		case now := <-tick.C:
			s.tidy(now)
			if s.pass != nil && now.Sub(idle) > passIdle {
				s.endPass(nil)
			}
		case <-ctx.Done():
			s.end()
			return
		}
	}
}

// step does one thing for those who wait, and reports false when there are none.
func (s *sweep) step(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	answers, n := s.settle(false)
	give(answers)
	if n == 0 {
		return false
	}
	if err := s.advance(ctx, n); err != nil {
		s.endPass(err)
		return wait(ctx, askAgain)
	}
	return true
}

// advance makes sure that there is a fitting pass, and fetches n messages.
func (s *sweep) advance(ctx context.Context, n int) error {
	if err := s.fit(ctx); err != nil {
		return err
	}
	batch, drained, err := s.pass.fetch(ctx, n)
	var end uint64
	if err == nil && drained {
		// After the fetch: the consumer has looked this far and found no more.
		end, err = s.pass.scan.reached(ctx)
	}
	s.see(batch, end)
	answers, _ := s.settle(err == nil && drained)
	give(answers)
	return err
}

// see hands out what was fetched; end is where the consumer has come to if
// nothing more was there.
func (s *sweep) see(batch []fetched, end uint64) {
	now := time.Now()
	for some := range slices.Chunk(batch, seeAtOnce) {
		s.mu.Lock()
		s.recent.fit(len(s.joined))
		for i := range some {
			m, at, err := s.pass.see(&some[i], s.shard, &s.bus.places, now)
			if err != nil {
				s.bus.damaged(some[i].subject, some[i].seq, err)
			}
			if m != nil {
				s.recent.add(m, at)
			}
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass.pos = max(s.pass.pos, end)
}

// fit attaches those who wait to the pass, or begins another for them.
func (s *sweep) fit(ctx context.Context) error {
	s.mu.Lock()
	s.attachAll()
	filters, after, furthest := s.plan(time.Now())
	s.mu.Unlock()
	if filters == nil {
		return nil
	}
	s.endPass(nil)
	p, err := openPass(ctx, s.bus.js, int(s.shard), filters, after)
	if err != nil {
		return err
	}
	s.bus.counters.passes.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass = p
	s.attachAll()
	p.planned, p.furthest = len(s.joined), furthest
	return nil
}

// attachAll attaches those of the waiting that the pass serves.
func (s *sweep) attachAll() {
	if s.pass == nil {
		return
	}
	for r := range s.waiting {
		if s.pass.serves(r) {
			s.pass.attach(r)
			s.joined[r] = struct{}{}
			delete(s.waiting, r)
		}
	}
}

// over reports whether the pass is to give way: to those whom it does not serve
// after a turn, or to a narrower one, when few are left for whom it goes on.
func (s *sweep) over(busy int, now time.Time) bool {
	p, took := s.pass, now.Sub(s.pass.begun)
	if len(s.waiting) > 0 {
		return took > turn && p.pos >= p.furthest || took > askPatience/2
	}
	return busy <= fewReaders && 2*busy <= p.planned && p.scan.left() > shortWay
}

// plan says what another pass has to find, for all who wait; no filters mean
// that the present one is to go on.
func (s *sweep) plan(now time.Time) (filters []string, after, furthest uint64) {
	var busy []*reading
	for r := range s.joined {
		if r.waits() && !r.full {
			r.upTo = max(r.upTo, s.pass.pos)
		}
		if r.waits() {
			busy = append(busy, r)
		}
	}
	if len(busy) > 0 && !s.over(len(busy), now) {
		return nil, 0, 0
	}
	busy = slices.AppendSeq(busy, maps.Keys(s.waiting))
	if len(busy) == 0 {
		return nil, 0, 0
	}
	seen := make(map[string]struct{})
	after = busy[0].upTo
	for _, r := range busy {
		after, furthest = min(after, r.upTo), max(furthest, r.upTo)
		for _, f := range r.filters {
			if _, ok := seen[f]; !ok {
				seen[f] = struct{}{}
				filters = append(filters, f)
			}
		}
	}
	return filters, after, furthest
}

// endPass closes the pass; what it has found stays.
func (s *sweep) endPass(err error) {
	s.mu.Lock()
	p := s.pass
	for r := range s.joined {
		s.leave(r)
	}
	s.pass, s.err = nil, err
	s.mu.Unlock()
	if p != nil {
		p.scan.close()
	}
}

// leave takes a reading out of the pass.
func (s *sweep) leave(r *reading) {
	if !r.attached {
		return
	}
	s.pass.detach(r)
	delete(s.joined, r)
	switch {
	case r.waits():
		s.waiting[r] = struct{}{}
	case r.fn == nil && len(r.ahead) == 0:
		s.forget(r)
	}
}
