package jetstream

import (
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	eventsStream = "EVENTS"
	eventsPrefix = "events."
	// eventsAge and eventsBytes bound what waits for whoever reads events. Past
	// them the oldest are lost.
	eventsAge   = 24 * time.Hour
	eventsBytes = 256 << 20
	// eventsWaiting is how many events of one node may wait to be sent.
	eventsWaiting = 16_384
)

// eventStream changes c to what the stream of events must be.
func eventStream(c jetstream.StreamConfig) jetstream.StreamConfig {
	c.Name = eventsStream
	c.Description = "Fanfare events"
	c.Subjects = []string{eventsPrefix + ">"}
	c.Storage = jetstream.FileStorage
	c.Retention = jetstream.LimitsPolicy
	c.Discard = jetstream.DiscardOld
	c.MaxAge = eventsAge
	c.MaxBytes = eventsBytes
	c.AllowDirect = true
	return c
}

// eventSubject is events.<org>.<app>.<type>.
func eventSubject(e *broker.Event) string {
	return string(appendEncoded([]byte(eventsPrefix), e.Org+"/"+e.App+"/"+e.Type))
}

// Emit tells whoever reads events. It never waits: an event is lost, and
// counted as such, when too many wait or the connection is away for long.
func (b *Bus) Emit(e broker.Event) {
	if b.closed.Load() {
		b.counters.eventsLost.Add(1)
		return
	}
	select {
	case b.events <- e:
	default:
		b.counters.eventsLost.Add(1)
	}
}

// sendEvents sends until the bus closes, and then what is left.
func (b *Bus) sendEvents(done <-chan struct{}) {
	for {
		select {
		case e := <-b.events:
			b.sendEvent(&e)
			continue
		case <-done:
		}
		for {
			select {
			case e := <-b.events:
				b.sendEvent(&e)
			default:
				return
			}
		}
	}
}

func (b *Bus) sendEvent(e *broker.Event) {
	data, err := json.Marshal(e)
	if err == nil {
		err = b.drawer.Publish(eventSubject(e), data)
	}
	if err != nil {
		b.counters.eventsLost.Add(1)
		return
	}
	b.counters.events.Add(1)
}
