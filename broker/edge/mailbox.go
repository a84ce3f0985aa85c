package edge

import (
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// eventKind says what reaches a loop through its mailbox.
type eventKind uint8

const (
	evOpened    eventKind = iota // a transport was adopted
	evReceived                   // data was read; the reader waits for resume
	evEnded                      // the transport ended with err
	evDrained                    // queued output went out
	evPublished                  // the bus answered a publish: tag, err
	evDelivered                  // fan holds a message and its receivers here
	evDo                         // anything rare
)

// event is one entry of a mailbox; only the fields of its kind are set.
type event struct {
	kind eventKind
	conn *conn
	data []byte
	fan  *fan
	tag  uint64
	err  error
	do   func(now time.Time)
}

// fan is one message with its receivers on one loop.
type fan struct {
	message *broker.Message
	conns   []*conn
	org     *account // of the message
	size    int      // receivers, some of them perhaps twice
	next    int      // whose turn it is
}

// mailbox is a loop's only entrance: many writers, one reader that takes all
// there is at once.
type mailbox struct {
	mu    sync.Mutex
	queue []event
	spare []event
	wake  chan struct{} // capacity 1: a token means the queue may hold something
}

func newMailbox() mailbox { return mailbox{wake: make(chan struct{}, 1)} }

// put adds an event. It never blocks.
func (m *mailbox) put(ev event) {
	m.mu.Lock()
	m.queue = append(m.queue, ev)
	first := len(m.queue) == 1
	m.mu.Unlock()
	if first {
		m.ring()
	}
}

// ring wakes the reader, also if there is nothing in the queue.
func (m *mailbox) ring() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// keepEvents bounds the memory an idle mailbox keeps from its busiest moment.
const keepEvents = 4096

// take returns all events and an empty queue behind it. The slice is valid
// until the next call.
func (m *mailbox) take() []event {
	clear(m.spare) // what was handled must not be kept alive
	if cap(m.spare) > keepEvents {
		m.spare = nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	batch := m.queue
	m.queue, m.spare = m.spare[:0], batch
	return batch
}
