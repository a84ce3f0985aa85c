package session

import (
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// lineage is what a resumed session has published to since it is here. What it
// published before may have entered at another node, which is the only one to
// know which message of a topic was its last.
type lineage struct {
	since  instant  // when it was resumed; zero: it need not be known
	topics []string // oldest first
}

const (
	// lineageSpan is how long a message may be unknown to a receiver before it
	// has found it in the log by itself: two periods of the driver's probes.
	lineageSpan = 2 * time.Minute
	// maxLineage bounds the topics that are remembered. A session that uses more
	// in turn has receivers look into the log more often.
	maxLineage = 32
)

// previous is what the bus is told of the message before one to a topic: that
// it cannot be known, for the first one of a resumed session, so that nobody
// takes it before the ones of the last connection.
func (s *Session) previous(name string, now time.Time) uint64 {
	l := &s.rare().lineage
	if l.since == 0 || slices.Contains(l.topics, name) {
		return 0
	}
	l = &s.own().lineage
	if l.forget(now); l.since == 0 {
		return 0
	}
	if len(l.topics) == maxLineage {
		l.topics = slices.Delete(l.topics, 0, 1)
	}
	l.topics = append(l.topics, name)
	return broker.UnknownPrevious
}

// forget ends a lineage that is old enough.
func (l *lineage) forget(now time.Time) {
	if l.since != 0 && at(now) >= l.since+instant(lineageSpan) {
		*l = lineage{}
	}
}
