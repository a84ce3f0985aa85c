package jetstream

import (
	"fmt"
	"regexp"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
)

var announceSubject = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)*$`)

// announcements are the functions that listen to control messages.
type announcements struct {
	mu sync.RWMutex // guards on
	on map[string][]func(data []byte)
}

// Announce tells all live nodes something, this one included: its own
// listeners are called before Announce returns. Other nodes get it at most
// once, and those that are cut off now not at all. The subject is lower case
// words with dots between.
func (b *Bus) Announce(subject string, data []byte) error {
	if !announceSubject.MatchString(subject) {
		return fmt.Errorf("jetstream: announcement subject %q", subject)
	}
	b.announcements.mu.RLock()
	listeners := b.announcements.on[subject]
	b.announcements.mu.RUnlock()
	for _, f := range listeners {
		f(data)
	}
	switch {
	case b.closed.Load():
		return errClosed
	case b.Alone():
		return nil
	case !b.outbox.offer(letter{subject: ctlPrefix + subject, data: data}):
		return broker.ErrOverloaded
	}
	return nil
}

// OnAnnounce calls fn for every announcement under subject from now on: on the
// announcing goroutine for this node's own, and one after the other for those
// of other nodes. It returns once those are sure to arrive.
func (b *Bus) OnAnnounce(subject string, fn func(data []byte)) error {
	if !announceSubject.MatchString(subject) {
		return fmt.Errorf("jetstream: announcement subject %q", subject)
	}
	b.announcements.mu.Lock()
	b.announcements.on[subject] = append(b.announcements.on[subject], fn)
	b.announcements.mu.Unlock()
	if b.Alone() {
		return nil
	}
	if _, err := b.trunk.Subscribe(ctlPrefix+subject, func(m *nats.Msg) { fn(m.Data) }); err != nil {
		return fmt.Errorf("jetstream: announcements of %s: %w", subject, err)
	}
	if err := b.trunk.FlushTimeout(flushTimeout); err != nil {
		return fmt.Errorf("jetstream: announcements of %s: %w", subject, err)
	}
	return nil
}
