package sim

import (
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/liveness"
)

// renewal is the time between two renewals of a lease.
const renewal = liveness.Period / 2

// lease is the instance's entry, nil if there is none.
func (s *store) lease(instance string) *broker.Lease {
	i := slices.IndexFunc(s.leases, func(l broker.Lease) bool { return l.Instance == instance })
	if i < 0 {
		return nil
	}
	return &s.leases[i]
}

// renew writes a living instance's lease, and reports whether it still lives.
func (s *store) renew(n *node, instance string) bool {
	l := s.lease(instance)
	if l == nil {
		s.leases = append(s.leases, broker.Lease{Instance: instance, Node: n.name, State: broker.LeaseAlive, Since: n.time()})
		l = &s.leases[len(s.leases)-1]
	}
	s.revision++
	l.Revision = s.revision
	return l.State == broker.LeaseAlive
}

// declareDead ends an instance whose lease still has the revision.
func (s *store) declareDead(instance string, revision uint64, now time.Time) {
	if l := s.lease(instance); l != nil && l.State == broker.LeaseAlive && l.Revision == revision {
		s.w.oracle.declared(instance)
		s.revision++
		l.State, l.Since, l.Revision = broker.LeaseDead, now, s.revision
		s.w.say("store", "%s is declared dead", instance)
	}
}

// bury removes the entry of an instance that is gone.
func (s *store) bury(l broker.Lease) error {
	found := s.lease(l.Instance)
	if found == nil {
		return nil
	}
	if found.Revision != l.Revision {
		return broker.ErrConflict
	}
	s.w.say("store", "%s is buried", l.Instance)
	s.leases = slices.DeleteFunc(s.leases, func(o broker.Lease) bool { return o.Instance == l.Instance })
	return nil
}

// newEstate begins the node's watch over the others, and what it does for the
// dead.
func (n *node) newEstate() {
	n.watch = liveness.NewWatch(n.instance, 0)
	n.estate = liveness.NewEstate(liveness.Config{Instance: n.instance})
	n.tickAt = 0
	n.keepAlive()
	n.look()
}

// keepAlive renews the node's lease. Who finds itself declared dead has lost its
// sessions to others, and begins anew.
func (n *node) keepAlive() {
	instance, lives := n.instance, true
	n.request(func() { lives = n.w.store.renew(n, instance) }, func(err error) {
		if err == nil && !lives {
			n.w.say(n.name, "learns that it is dead")
			n.crash()
			n.start()
		}
	})
	n.after(renewal, n.keepAlive)
}

// look reads all leases, again and again.
func (n *node) look() {
	asked := n.time()
	var leases []broker.Lease
	n.request(func() { leases = slices.Clone(n.w.store.leases) }, func(err error) {
		if err != nil {
			n.watch.Missed()
			return
		}
		for _, l := range n.watch.Observe(leases, asked, n.time()) {
			now := n.time()
			n.request(func() { n.w.store.declareDead(l.Instance, l.Revision, now) }, func(error) {})
		}
		n.estate.Observe(leases, n.time())
		n.inherit()
	})
	n.after(renewal, n.look)
}
