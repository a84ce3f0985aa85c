package sim

import (
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/liveness"
	"github.com/fanfare-mq/fanfare/broker/ownership"
)

// inherit carries out what the estate wants, after any call of it.
func (n *node) inherit() {
	for effects := n.estate.Effects(); len(effects) > 0; effects = n.estate.Effects() {
		for i := range effects {
			n.bequeath(&effects[i])
		}
	}
	deadline := n.estate.Deadline()
	if deadline.IsZero() {
		return
	}
	at := max(deadline.Sub(epoch)-n.skew, n.w.now)
	if n.tickAt != 0 && n.tickAt <= at {
		return
	}
	n.tickAt = at
	n.after(at-n.w.now, func() {
		if n.tickAt == at {
			n.tickAt = 0
			n.estate.Tick(n.time())
			n.inherit()
		}
	})
}

// bequeath carries out one effect of the estate.
func (n *node) bequeath(e *liveness.Effect) {
	if n.w.tracing() {
		n.w.say(n.name, "estate: %s", showLiveness(e))
	}
	switch e.Kind {
	case liveness.Publish:
		n.publishWill(e.Op, e.Message)
	case liveness.Hold:
		n.after(n.w.short(n.w.faults.delay), func() {
			n.estate.Held(e.Op, n.holds(e.Key), nil, n.time())
			n.inherit()
		})
	case liveness.Finished:
		if op, ok := e.Ref.(ownership.Op); ok {
			n.after(0, func() { n.table.Done(op, nil, n.time()); n.advance() })
		}
	case liveness.Emit:
	case liveness.Take, liveness.Save, liveness.Bury:
		n.settle(e)
	default:
		n.lookUp(e)
	}
}

// settle has the estate's writes done.
func (n *node) settle(e *liveness.Effect) {
	s, op, kind := n.w.store, e.Op, e.Kind
	record, lease, instance, key, revision := clone(e.Record), e.Lease, e.Instance, e.Key, e.Revision
	var refused error
	n.request(func() {
		switch kind {
		case liveness.Take:
			refused = s.takeWill(instance, key, revision)
		case liveness.Save:
			_, refused = s.save(key, record, revision)
		default:
			refused = s.bury(lease)
		}
	}, func(err error) {
		if err == nil {
			err = refused
		}
		n.estate.Done(op, err, n.time())
		n.inherit()
	})
}

// lookUp has the estate's questions answered.
func (n *node) lookUp(e *liveness.Effect) {
	s, op, kind, instance, key := n.w.store, e.Op, e.Kind, e.Instance, e.Key
	var wills []*broker.Will
	var keys []string
	var found broker.Stored
	n.request(func() {
		switch kind {
		case liveness.ListWills, liveness.Fetch:
			wills = s.list(instance, key)
		case liveness.ListOrphans:
			keys = s.orphans(instance)
		default:
			found = s.load(key, false) // the leader's view; there is no compare-and-set behind it
		}
	}, func(err error) {
		switch kind {
		case liveness.ListWills, liveness.Fetch:
			n.estate.Listed(op, wills, err, n.time())
		case liveness.ListOrphans:
			n.estate.Orphaned(op, keys, err, n.time())
		default:
			n.estate.Loaded(op, found, err, n.time())
		}
		n.inherit()
	})
}

// list reads an instance's wills, all of them or that of a key.
func (s *store) list(instance, key string) []*broker.Will {
	var found []*broker.Will
	for _, w := range s.wills {
		if w.Instance == instance && (key == "" || w.Key == key) {
			c := *w
			found = append(found, &c)
		}
	}
	return found
}

// orphans lists the records that an instance holds.
func (s *store) orphans(instance string) []string {
	var keys []string
	for _, c := range s.w.clients {
		if r := s.cell(c.key).now.Record; r != nil && r.Owner == instance && r.Expires.IsZero() {
			keys = append(keys, c.key)
		}
	}
	return keys
}

// takeWill removes a will, and refuses unless it is this call that does it.
func (s *store) takeWill(instance, key string, revision uint64) error {
	i := s.findWill(instance, key)
	if i < 0 || s.wills[i].Revision != revision {
		return broker.ErrConflict
	}
	s.wills = slices.Delete(s.wills, i, i+1)
	return nil
}

func (n *node) publishWill(op uint64, m *broker.Message) {
	number := numberOf(m.Payload)
	done := func(err error) {
		n.estate.Done(op, err, n.time())
		n.inherit()
	}
	if m.QoS == 0 {
		n.w.oracle.sentLive(number)
		n.deliver(m)
		n.announce(m)
		n.after(time.Millisecond, func() { done(nil) })
		return
	}
	n.lanes[m.Position.Shard].append(m, number, func(_ uint64, err error) { done(err) })
}

// keepWill has the estate publish a will of this node when it is due.
func (n *node) keepWill(w *broker.Will) {
	n.estate.Keep(w, nil, n.time())
	n.inherit()
}

// rouse has a will published now, as its session has ended.
func (n *node) rouse(e *ownership.Effect) {
	n.estate.Rouse(e.Instance, e.Key, e.Op, n.time())
	n.inherit()
}

// forgetWill takes back what this node keeps of a will.
func (n *node) forgetWill(instance, key string) {
	if instance == n.instance {
		n.estate.Forget(key, n.time())
		n.inherit()
	}
}
