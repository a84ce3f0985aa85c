package jetstream

import (
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// hourSkew is how far the clocks of two nodes may lie apart: a message's
	// hour is told by its origin, the time to begin by the reader.
	hourSkew = time.Hour
	// maxHours is how many hours a question names; above that it asks for all,
	// since every name costs the server a look-up.
	maxHours = 6
	// pageBytes bounds a page; one message more may come.
	pageBytes = 1 << 20
	// defaultLimit and maxLimit are of the messages of a page.
	defaultLimit = 256
	maxLimit     = 4096
)

var errDamaged = fault.New(fault.Internal, "the message in the log cannot be read")

// limit is how many messages a page may hold.
func limit(n int) int {
	if n <= 0 {
		return defaultLimit
	}
	return min(n, maxLimit)
}

// logSubjects are the subjects under which the log keeps what q's filters
// match. It names the hours since q.Since when they are few, and what has none.
func logSubjects(q broker.Query, now time.Time) ([]string, error) {
	hours := logHours(q.Since, now)
	subjects := make([]string, 0, len(hours)*len(q.Filters))
	shard := strconv.Itoa(int(q.Shard))
	for _, filter := range q.Filters {
		levels, err := logLevels(filter)
		if err != nil {
			return nil, err
		}
		for _, hour := range hours {
			subjects = append(subjects, logPrefix+shard+"."+hour+"."+levels)
		}
	}
	return subjects, nil
}

// logHours are the buckets of what was published since then.
func logHours(since, now time.Time) []string {
	first, last := since.Add(-hourSkew).UnixMilli()/hourMS, now.Add(hourSkew).UnixMilli()/hourMS
	if since.IsZero() || last-first >= maxHours || first > last {
		return []string{"*"}
	}
	hours := make([]string, 0, maxHours+1)
	for h := first; h <= last; h++ {
		hours = append(hours, strconv.FormatInt(h, 10))
	}
	return append(hours, undatedBucket)
}

// logLevels are the levels and the id of what a filter matches in the log. A
// "#" includes the parent by itself, because the id follows.
func logLevels(filter string) (string, error) {
	subjects, err := filterSubjects("", filter)
	if err != nil {
		return "", err
	}
	levels := subjects[len(subjects)-1]
	if !strings.HasSuffix(filter, "/#") {
		levels += ".*"
	}
	return levels, nil
}

// readLogged returns the message that the log keeps under subject.
func readLogged(subject string, data []byte, at broker.Position) (*broker.Message, error) {
	levels, id, ok := loggedLevels(subject)
	if !ok {
		return nil, errDamaged
	}
	m := new(broker.Message)
	if err := parseEnvelope(data, m); err != nil {
		return nil, err
	}
	var err error
	if m.Topic, err = topicOf(levels); err != nil {
		return nil, err
	}
	if m.CollapseKey, err = keyOf(id); err != nil {
		return nil, err
	}
	m.Position = at
	return m, nil
}

// part collects what one question, put as often as it takes, says of the log.
// Everything up to upTo is in it.
type part struct {
	messages []*broker.Message
	bytes    int
	upTo     uint64
	more     bool
}

func (p *part) full(limit int) bool { return len(p.messages) >= limit || p.bytes >= pageBytes }

// collector makes messages of what the log says.
type collector struct {
	bus     *Bus
	shard   uint16
	filters []string // nil: whatever comes
	now     time.Time
}

// take adds a message to p unless nobody wants it.
func (c *collector) take(p *part, subject string, seq uint64, data []byte) {
	if subject == sentinel(int(c.shard)) {
		return
	}
	m, err := readLogged(subject, data, broker.Position{Shard: c.shard, Seq: seq})
	switch {
	case err != nil:
		c.bus.damaged(subject, seq, err)
	case m.Expired(c.now):
	case c.filters != nil && !matchesAny(c.filters, m.Topic):
	default:
		p.messages = append(p.messages, m)
		p.bytes += len(data)
	}
}

func matchesAny(filters []string, name string) bool {
	for _, f := range filters {
		if topic.Match(f, name) {
			return true
		}
	}
	return false
}

// subjectOf is where the stream has the message of a direct get.
func subjectOf(m *nats.Msg) string { return m.Header.Get(headerSubject) }
