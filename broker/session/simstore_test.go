package session_test

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// write takes a record to the store, which may take its time, and may fail.
func (m *sim) write(e *session.Effect) {
	m.t.Helper()
	m.check(e.Record)
	s, token, record, done := m.s, e.Token, e.Record, maps.Clone(m.done)
	m.later(func() func() {
		if m.storeDown {
			return func() { s.Persisted(token, broker.ErrUnavailable, m.now) }
		}
		m.record, m.kept = record, done
		return func() { s.Persisted(token, nil, m.now) }
	})
}

// ended takes the last record of a connection.
func (m *sim) ended(e *session.Effect) {
	m.t.Helper()
	if e.Record == nil || m.client.closed {
		m.t.Fatalf("closed by %s: %s, record %v", e.Reason.Name, e.Reason.Text, e.Record)
	}
	if len(m.entered) > 0 {
		m.t.Fatalf("closed, and still entered under %v", m.entered)
	}
	m.check(e.Record)
	m.client.closed, m.record, m.kept = true, e.Record, maps.Clone(m.done)
}

// crash is the end of a node: what it knew and has not written is gone. What was
// on its way to the log may still arrive there, but not after what follows.
func (m *sim) crash(t *rapid.T) {
	for n := rapid.IntRange(0, len(m.upstream.orders)).Draw(t, "arrive"); n > 0; n-- {
		m.upstream.take(m.t)
	}
	m.done = maps.Clone(m.kept)
	m.client.crashed()
	m.connect(rapid.IntRange(1, 5).Draw(t, "receive"))
}

// check holds a record against what the client has.
func (m *sim) check(r *broker.Record) {
	m.t.Helper()
	if m.record != nil && r.Floor < m.record.Floor {
		m.t.Fatalf("the floor fell from %d to %d", m.record.Floor, r.Floor)
	}
	if !slices.IsSorted(r.Acked) {
		m.t.Fatalf("not rising: %v", r.Acked)
	}
	inflight := map[uint64]bool{}
	for _, f := range r.Inflight {
		if inflight[f.Seq] = true; !f.Released && f.Seq <= r.Floor {
			m.t.Fatalf("message %d is on its way, with the floor at %d", f.Seq, r.Floor)
		}
	}
	for seq := range m.owed {
		if inflight[seq] {
			continue // sent, but not before the connection ended
		}
		if seq <= r.Floor || slices.Contains(r.Acked, seq) {
			m.t.Fatalf("message %d is owed, with the floor at %d and %v", seq, r.Floor, r.Acked)
		}
	}
	for seq := range m.client.unacknowledged() {
		if !inflight[seq] && m.log[seq] != nil {
			m.t.Fatalf("message %d is not acknowledged and not on its way", seq)
		}
	}
}
