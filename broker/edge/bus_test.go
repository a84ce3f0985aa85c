package edge_test

import (
	"slices"
	"sync"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// bus is a node that runs alone, in memory: it delivers to its own edge in the
// order of its log and acknowledges from another goroutine, as the real one
// does.
type bus struct {
	mu        sync.Mutex
	edge      *edge.Edge
	full      bool  // refuse publishes
	room      int   // but take so many
	refusal   error // of publishes with QoS 1 and 2, for good
	refused   int
	interest  map[string]int
	announced map[string]func(data []byte)
	log       []*broker.Message
	retained  map[string]*broker.Message
	store
	shared *shared
}

var _ edge.Bus = (*bus)(nil)

func (b *bus) Publish(m *broker.Message, ack broker.Acknowledger, tag uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full && b.room == 0 {
		b.refused++
		return broker.ErrOverloaded
	}
	b.room = max(0, b.room-1)
	if b.refusal != nil && m.QoS > 0 {
		return b.refusal
	}
	if m.ID.IsZero() {
		m.ID = ulid.Make()
	}
	m.Node = "n1"
	if m.QoS > 0 {
		b.log = append(b.log, m)
		m.Position.Seq = uint64(len(b.log)) + 1
	}
	switch {
	case m.Retain && len(m.Payload) == 0:
		delete(b.retained, m.Topic)
	case m.Retain:
		b.retained[m.Topic] = m
	}
	b.edge.Deliver(m)
	b.shared.ring()
	if ack != nil {
		go ack.Published(tag, m, nil)
	}
	return nil
}

func (b *bus) Alone() bool { return true }

func (b *bus) AddInterest(filter string, ready func(error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.interest[filter]++
	go ready(nil)
}

func (b *bus) RemoveInterest(filter string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.interest[filter]--; b.interest[filter] == 0 {
		delete(b.interest, filter)
	}
}

func (b *bus) OnDoubt(func(string)) {}

func (b *bus) Announce(string, []byte) error { return nil }

func (b *bus) OnAnnounce(subject string, fn func([]byte)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.announced == nil {
		b.announced = make(map[string]func([]byte))
	}
	b.announced[subject] = fn
	return nil
}

func (b *bus) Generations(uint16) []broker.Generation {
	return []broker.Generation{{Number: 1, Start: 1}}
}

func (b *bus) Head(_ uint16, fn func(uint64, error)) {
	b.mu.Lock()
	head := uint64(len(b.log)) + 1 // a sentinel came first
	b.mu.Unlock()
	fn(head, nil)
}

func (b *bus) Read(q broker.Query, fn func(broker.Page, error)) {
	b.mu.Lock()
	page := broker.Page{UpTo: uint64(len(b.log)) + 1}
	for _, m := range b.log {
		if m.Position.Seq <= q.After || !slices.ContainsFunc(q.Filters, func(f string) bool { return topic.Match(f, m.Topic) }) {
			continue
		}
		if len(page.Messages) == q.Limit {
			page.More, page.UpTo = true, page.Messages[q.Limit-1].Position.Seq
			break
		}
		page.Messages = append(page.Messages, m)
	}
	b.mu.Unlock()
	go fn(page, nil)
}

func (b *bus) Get(_ uint16, seqs []uint64, fn func([]*broker.Message, error)) {
	b.mu.Lock()
	messages := make([]*broker.Message, len(seqs))
	for i, seq := range seqs {
		j := slices.IndexFunc(b.log, func(m *broker.Message) bool { return m.Position.Seq == seq })
		if j >= 0 {
			messages[i] = b.log[j]
		}
	}
	b.mu.Unlock()
	go fn(messages, nil)
}

func (b *bus) Retained(filter string) broker.Cursor {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &cursor{}
	for name, m := range b.retained {
		if topic.Match(filter, name) {
			c.messages = append(c.messages, m)
		}
	}
	return c
}

// cursor hands retained messages out.
type cursor struct{ messages []*broker.Message }

func (c *cursor) Next(n int, fn func([]*broker.Message, bool, error)) {
	n = min(n, len(c.messages))
	batch := c.messages[:n]
	c.messages = c.messages[n:]
	go fn(batch, len(c.messages) == 0, nil)
}

func (c *cursor) Close() {}

func (b *bus) setFull(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full = full
}

// take lets so many publishes pass while the bus is full.
func (b *bus) take(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.room = n
}

func (b *bus) refusals() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}

func (b *bus) interested(filter string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.interest[filter] > 0
}

func (b *bus) interests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.interest)
}
