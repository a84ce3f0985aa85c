package session

import "github.com/fanfare-mq/fanfare/broker"

// queue holds messages that wait to be sent, oldest first. The messages are
// shared with other sessions; only the pointers are its own.
type queue struct {
	items []*broker.Message
	head  int // items before it are gone
	bytes int // topics and payloads of what waits
}

func (q *queue) len() int { return len(q.items) - q.head }

func (q *queue) push(m *broker.Message) {
	if q.head > 0 && len(q.items) == cap(q.items) && q.head >= len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, m)
	q.bytes += weight(m)
}

// pop takes the oldest message off a queue that is not empty.
func (q *queue) pop() *broker.Message {
	m := q.items[q.head]
	q.items[q.head] = nil
	q.head++
	q.bytes -= weight(m)
	if q.head == len(q.items) {
		*q = queue{} // whoever was slow once need not hold memory for it
	}
	return m
}

func weight(m *broker.Message) int { return len(m.Topic) + len(m.Payload) }
