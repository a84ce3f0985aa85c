package jetstream

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// settle finds the answers for those who wait, to be given once no lock is
// held, and how many messages are wanted for the others. drained says that the
// pass has come to the end.
func (s *sweep) settle(drained bool) (answers []answered, wanted int) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.joined {
		if r.full {
			s.leave(r)
		} else {
			r.upTo = max(r.upTo, s.pass.pos)
		}
	}
	for r := range merged(s.joined, s.waiting) {
		if !r.waits() {
			continue
		}
		a := s.answer(r, drained, now)
		switch {
		case a.fn != nil:
			answers = append(answers, a)
		case r.waits():
			wanted += max(1, r.limit-len(r.ahead))
		}
	}
	return answers, min(wanted, passBatch)
}

// merged yields the members of both sets.
func merged(a, b map[*reading]struct{}) iter.Seq[*reading] {
	return func(yield func(*reading) bool) {
		for _, set := range []map[*reading]struct{}{a, b} {
			for r := range set {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// answer gives r what it waits for, if it is there or the time is over.
func (s *sweep) answer(r *reading, drained bool, now time.Time) answered {
	drained = drained && r.attached
	switch {
	case !drained && !s.due(r, now):
		if now.Sub(r.asked) <= askPatience {
			return answered{}
		}
		fn := r.fn
		s.keep(r, now, false)
		return answered{fn: fn, err: unavailable(s.err)}
	}
	seqs := r.next()
	messages, missing := s.recent.find(seqs)
	if len(missing) > 0 {
		return s.load(r, seqs, messages, missing)
	}
	return s.answered(r, messages, drained, now)
}

// answered makes a page of the next messages of r, of which those that the log
// has no more are nil.
func (s *sweep) answered(r *reading, messages []*broker.Message, drained bool, now time.Time) answered {
	n := len(messages)
	messages = slices.DeleteFunc(messages, func(m *broker.Message) bool { return m == nil || m.Expired(now) })
	page := broker.Page{Messages: messages, UpTo: r.upTo}
	if n > 0 {
		page.UpTo = r.pass(n, &s.bus.places)
	}
	r.after = page.UpTo
	page.More = !drained || len(r.ahead) > 0
	fn := r.fn
	s.keep(r, now, page.More)
	return answered{fn: fn, page: page}
}

// leastPage is what a page should hold that is answered early.
const leastPage = 16

// due reports whether r is to be answered with what was found: a full page, all
// that will be added, or something after a while.
func (s *sweep) due(r *reading, now time.Time) bool {
	switch {
	case r.enough():
		return true
	case !r.attached:
		return len(r.ahead) > 0
	case len(r.ahead) >= leastPage && s.recent.goesSoon(r.ahead[0]):
		return true
	}
	return now.Sub(r.asked) > pagePatience && (len(r.ahead) > 0 || r.upTo > r.after)
}

// load has a reader fetch the messages of r's next page that are missing.
func (s *sweep) load(r *reading, seqs []uint64, messages []*broker.Message, missing []int) answered {
	delete(s.waiting, r)
	r.loading = true
	wanted := make([]uint64, len(missing))
	for i, index := range missing {
		wanted[i] = seqs[index]
	}
	ok := s.bus.getters.offer("", func(ctx context.Context, a *asker) {
		s.bus.get(ctx, a, s.shard, wanted, func(got []*broker.Message, err error) {
			for i, m := range got {
				messages[missing[i]] = m
			}
			give([]answered{s.loaded(r, messages, err)})
		})
	})
	if ok {
		return answered{}
	}
	return s.refused(r, s.bus.refusal())
}

// loaded answers with messages that were fetched.
func (s *sweep) loaded(r *reading, messages []*broker.Message, err error) answered {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		return s.refused(r, err)
	}
	r.loading = false
	for i, m := range messages {
		if m != nil && s.pass == nil { // what the pass brings is more likely to be wanted
			s.recent.add(m, r.ahead[i])
		}
	}
	return s.answered(r, messages, false, time.Now())
}

// refused answers with an error; what was found is kept for another attempt.
func (s *sweep) refused(r *reading, err error) answered {
	fn := r.fn
	r.loading = false
	s.keep(r, time.Now(), true)
	return answered{fn: fn, err: err}
}

// keep puts a reading that was answered aside for the query that goes on from
// there, if it has something for it.
func (s *sweep) keep(r *reading, now time.Time, more bool) {
	delete(s.waiting, r)
	r.fn, r.used = nil, now
	if !more || s.closed || !r.attached && len(r.ahead) == 0 {
		s.forget(r)
		return
	}
	r.key = queryKey(r.filters, r.after)
	if old := s.kept[r.key]; old != nil {
		s.forget(old)
	}
	s.kept[r.key] = r
}

// forget gives a reading up.
func (s *sweep) forget(r *reading) {
	if s.kept[r.key] == r {
		delete(s.kept, r.key)
	}
	r.drop(&s.bus.places)
	s.leave(r)
}

// tidy gives up what was not asked for in a while.
func (s *sweep) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.kept {
		if now.Sub(r.used) > keptIdle {
			s.forget(r)
		}
	}
	if s.pass == nil {
		s.recent.clear()
	}
	s.broad.tidy(now)
}

// end turns away those who wait.
func (s *sweep) end() {
	s.endPass(nil)
	s.mu.Lock()
	s.closed = true
	var answers []answered
	for r := range s.waiting {
		answers = append(answers, answered{fn: r.fn, err: errClosed})
		s.forget(r)
	}
	clear(s.waiting)
	s.mu.Unlock()
	give(answers)
}
