package liveness

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// house is what an instance has left that is gone. It is gone through in rounds:
// read what is there, see to it, and read again, until nothing is left; then
// the lease is buried.
type house struct {
	timer
	lease   broker.Lease
	since   time.Time           // when it was first seen to be gone
	ours    bool                // to look after
	swept   bool                // no records were left, and none can come any more
	passed  map[string]struct{} // keys of records that stay as they are, however often they are listed
	busy    int                 // tasks of this round
	found   bool                // by this round
	listing bool
	next    time.Time // the earliest will that was left where it is
}

// step begins a round, if it is ours to.
func (h *house) step(e *Estate, now time.Time) {
	if !h.ours {
		e.wait(h, now.Add(pause))
		return
	}
	h.found, h.next, h.listing = false, time.Time{}, true
	if h.swept {
		h.listWills(e)
		return
	}
	e.ask(Effect{Kind: ListOrphans, Instance: h.lease.Instance}, func(a answer, now time.Time) {
		if a.err != nil {
			e.again(h, now)
			return
		}
		for _, key := range a.keys {
			if _, ok := h.passed[key]; !ok {
				h.add(e, &orphan{house: h, key: key})
			}
		}
		h.swept = !h.found && h.settled(e, now)
		h.listWills(e)
	})
}

// settled reports whether nothing can come any more from the instance itself:
// it has said so, or was given the time.
func (h *house) settled(e *Estate, now time.Time) bool {
	return h.lease.State == broker.LeaseLeft || now.Sub(h.since) >= e.cfg.Linger
}

func (h *house) listWills(e *Estate) {
	e.ask(Effect{Kind: ListWills, Instance: h.lease.Instance}, func(a answer, now time.Time) {
		h.listing = false
		if a.err != nil {
			h.found = true // perhaps
		}
		for _, w := range a.wills {
			due := h.due(w)
			if due.After(now.Add(horizon)) {
				h.put(due)
				continue
			}
			t := &will{will: w, house: h, key: w.Key, sure: !w.Durable && !w.Due.IsZero()}
			h.busy++
			h.found = true
			e.wait(t, due)
		}
		h.rest(e, now)
	})
}

// due is when a will is to be published: the connections of a dead instance
// ended when it was declared dead.
func (h *house) due(w *broker.Will) time.Time {
	switch {
	case !w.Due.IsZero():
		return w.Due
	case w.Durable:
		return h.lease.Since.Add(w.Delay)
	}
	return h.lease.Since
}

func (h *house) put(due time.Time) {
	if h.next.IsZero() || due.Before(h.next) {
		h.next = due
	}
}

func (h *house) add(e *Estate, t task) {
	h.busy++
	h.found = true
	e.ready = append(e.ready, t)
}

// pass notes that the record of a key stays as it is: it is listed again each
// time, and must not keep the house from being buried.
func (h *house) pass(key string) {
	if h.passed == nil {
		h.passed = make(map[string]struct{})
	}
	h.passed[key] = struct{}{}
}

// done notes that a task of this round has ended.
func (h *house) done(e *Estate, now time.Time) {
	h.busy--
	h.rest(e, now)
}

// rest decides what follows a round.
func (h *house) rest(e *Estate, now time.Time) {
	switch {
	case h.busy > 0 || h.listing || e.houses[h.lease.Instance] != h:
	case h.found:
		h.tries = 0
		e.wait(h, now.Add(pause))
	case !h.next.IsZero():
		e.wait(h, later(now.Add(pause), h.next.Add(-horizon/2)))
	case !h.swept:
		e.wait(h, later(now.Add(pause), h.since.Add(e.cfg.Linger)))
	default:
		h.bury(e)
	}
}

func (h *house) bury(e *Estate) {
	e.ask(Effect{Kind: Bury, Lease: h.lease}, func(a answer, now time.Time) {
		if a.err != nil {
			e.again(h, now)
			return
		}
		delete(e.houses, h.lease.Instance)
	})
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// event tells that a client of the dead was disconnected.
func (h *house) event(key string, epoch uint64, willed bool) Effect {
	org, app, user, client := broker.SplitSessionKey(key)
	return Effect{Kind: Emit, Event: broker.Event{
		Type: broker.EventDisconnected, Org: org, App: app, User: user, ClientID: client,
		Node: h.lease.Node, Instance: h.lease.Instance, Epoch: epoch, Reason: ReasonNodeLost, Will: willed, At: h.lease.Since,
	}}
}

// ReasonNodeLost is the reason of a disconnection whose node has died.
const ReasonNodeLost = "node_lost"
