package sim

import (
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

const (
	hourMS = 3_600_000
	// hourSkew is how much further back than the time it is told a reader looks,
	// and agedAfter how old an ID may be for the bucket of its hour. As in the
	// log that this one stands for, the difference is left to the clocks.
	hourSkew  = time.Hour
	agedAfter = 15 * time.Minute
)

// entry is a message in a shard of the log.
type entry struct {
	message *broker.Message
	number  int // of what the oracle knows it as
	key     subject
	stored  time.Duration
}

// subject is what the log keeps one message under.
type subject struct {
	bucket      uint64 // the hour; 0: the one that every reader looks at
	topic       string
	id          ulid.ULID
	collapseKey string
}

// shard is one stream: a leader that has everything, replicas that lag behind
// it, and one message to a subject.
type shard struct {
	entries     []*entry // by sequence less one; nil: gone
	subjects    map[subject]uint64
	generations []broker.Generation
	first       int // index before which nothing is left
}

func newShard() *shard {
	return &shard{subjects: map[subject]uint64{}, generations: []broker.Generation{{Number: 1, Start: 1}}}
}

func (s *shard) head() uint64 { return uint64(len(s.entries)) }

// at is the message at a sequence, nil if it is gone.
func (s *shard) at(seq uint64) *entry {
	if seq == 0 || seq > s.head() {
		return nil
	}
	return s.entries[seq-1]
}

// append stores a message and returns its sequence; a message that it has
// already is told by its first one. now is the clock of the node that asks.
func (s *shard) append(m *broker.Message, number int, now time.Time, stored time.Duration) (seq uint64, again bool) {
	key := s.subjectOf(m, now)
	old, found := s.subjects[key]
	if found && m.CollapseKey == "" {
		return old, true
	}
	if found {
		s.drop(old)
	}
	kept := *m
	kept.Position.Seq = s.head() + 1
	s.entries = append(s.entries, &entry{message: &kept, number: number, key: key, stored: stored})
	s.subjects[key] = s.head()
	return s.head(), false
}

func (s *shard) subjectOf(m *broker.Message, now time.Time) subject {
	if m.CollapseKey != "" {
		return subject{topic: m.Topic, collapseKey: m.CollapseKey}
	}
	key := subject{bucket: m.ID.Time() / hourMS, topic: m.Topic, id: m.ID}
	if _, there := s.subjects[key]; !there && m.Undated && now.Sub(ulid.Time(m.ID.Time())) > agedAfter {
		key.bucket = 0
	}
	return key
}

// drop removes the message at seq, as retention and collapse keys do.
func (s *shard) drop(seq uint64) {
	if e := s.at(seq); e != nil {
		delete(s.subjects, e.key)
		s.entries[seq-1] = nil
	}
}

// cut takes the end of the log, as a power loss does. What is appended from now
// on gets the sequences again, and belongs to another generation.
func (s *shard) cut(head uint64) {
	for seq := head + 1; seq <= s.head(); seq++ {
		s.drop(seq)
	}
	s.entries = s.entries[:head]
	last := s.generations[len(s.generations)-1]
	s.generations = append(s.generations, broker.Generation{Number: last.Number + 1, Start: head + 1})
}

// replica is the head of one that is as far behind as lag.
func (s *shard) replica(now, lag time.Duration) uint64 {
	n := len(s.entries)
	for n > 0 && lag > 0 && (s.entries[n-1] == nil || s.entries[n-1].stored > now-lag) {
		n--
	}
	return uint64(n) //nolint:gosec // a length
}

// read is what a replica answers that has the log up to head. Short pages stand
// for answers that were cut off: they say nothing beyond their messages.
func (s *shard) read(q broker.Query, head uint64, now time.Time) broker.Page {
	since := uint64(0)
	if !q.Since.IsZero() {
		since = uint64(q.Since.Add(-hourSkew).UnixMilli()) / hourMS
	}
	p := broker.Page{UpTo: head}
	for seq := q.After + 1; seq <= head; seq++ {
		e := s.entries[seq-1]
		if e == nil || (e.key.bucket != 0 && e.key.bucket < since) || !matches(q.Filters, e.message.Topic) || e.message.Expired(now) {
			continue
		}
		if len(p.Messages) == q.Limit {
			return broker.Page{Messages: p.Messages, More: true}
		}
		p.Messages = append(p.Messages, e.message)
	}
	return p
}

// fetch returns the messages at seqs, nil for those that are gone.
func (s *shard) fetch(seqs []uint64) []*broker.Message {
	messages := make([]*broker.Message, len(seqs))
	for i, seq := range seqs {
		if e := s.at(seq); e != nil {
			messages[i] = e.message
		}
	}
	return messages
}

// generation is that of what is appended now.
func (s *shard) generation() uint64 { return s.generations[len(s.generations)-1].Number }

// expire drops what was stored before a moment.
func (s *shard) expire(before time.Duration) {
	for ; s.first < len(s.entries); s.first++ {
		if e := s.entries[s.first]; e != nil {
			if e.stored >= before {
				return
			}
			s.drop(uint64(s.first) + 1) //nolint:gosec // an index
		}
	}
}

func matches(filters []string, name string) bool {
	return slices.ContainsFunc(filters, func(f string) bool { return topic.Match(f, name) })
}
