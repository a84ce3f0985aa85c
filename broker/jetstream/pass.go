package jetstream

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

const (
	// passBatch is how many messages of a pass are fetched at once.
	passBatch = 4096
	// shortWay is how much of the stream is read without asking whether a
	// filter would make it less: a quarter of a second.
	shortWay = 1 << 16
	// worthwhile is how many times fewer messages a filter must leave: the
	// server passes over them four to eight times as fast as we read.
	worthwhile = 4
)

// pass reads a part of a shard in order, for all readings that are attached.
type pass struct {
	scan     *scan
	tree     topic.Tree[*reading]
	filters  []string // nil: everything comes
	pos      uint64   // the consumer has looked up to here
	planned  int      // readings that waited when it began
	furthest uint64   // where the last of them began
	begun    time.Time
	hits     []*reading // of see
}

// fetched is a message of the stream as it was fetched.
type fetched struct {
	seq     uint64
	subject string
	data    []byte
}

// openPass begins a pass behind after that finds all that filters match.
func openPass(ctx context.Context, js jetstream.JetStream, shard int, filters []string, after uint64) (*pass, error) {
	p := &pass{pos: after, begun: time.Now()}
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1}
	var err error
	if p.scan, err = openScan(ctx, js, streamName(shard), cfg); err != nil {
		return nil, err
	}
	if p.scan.pending <= shortWay || len(filters) > scanFilters {
		return p, nil
	}
	cfg.FilterSubjects = scanSubjects(shard, filters)
	narrow, err := openScan(ctx, js, streamName(shard), cfg)
	if err != nil {
		p.scan.close()
		return nil, err
	}
	if narrow.pending > p.scan.pending/worthwhile {
		narrow.close()
		return p, nil
	}
	p.scan.close()
	p.scan, p.filters = narrow, filters
	return p, nil
}

// serves reports whether r finds in the rest of the pass all that it wants.
func (p *pass) serves(r *reading) bool {
	if r.upTo < p.pos {
		return false
	}
	for _, f := range r.filters {
		if p.filters != nil && !coveredBy(p.filters, f) {
			return false
		}
	}
	return true
}

func coveredBy(filters []string, filter string) bool {
	for _, f := range filters {
		if f == filter || topic.Covers(f, filter) {
			return true
		}
	}
	return false
}

func (p *pass) attach(r *reading) {
	r.attached, r.full = true, false
	for _, f := range r.filters {
		p.tree.Add(f, r)
	}
}

func (p *pass) detach(r *reading) {
	r.attached = false
	if !r.full {
		r.upTo = max(r.upTo, p.pos)
	}
	for _, f := range r.filters {
		p.tree.Remove(f, r)
	}
}

// fetch reads on. drained says that there is no more, and that pos is the end
// of the replica.
func (p *pass) fetch(ctx context.Context, n int) (batch []fetched, drained bool, err error) {
	batch = make([]fetched, 0, min(n, passBatch))
	drained, err = p.scan.fetch(ctx, n, func(seq uint64, m *nats.Msg) {
		batch = append(batch, fetched{seq: seq, subject: m.Subject, data: m.Data})
	})
	return batch, drained, err
}

// see notes a message for whoever it is for. It returns the message if somebody
// takes it.
func (p *pass) see(f *fetched, shard uint16, places *atomic.Int64, now time.Time) (*broker.Message, place, error) {
	p.pos = f.seq
	name, ok := loggedTopic(f.subject)
	if !ok {
		return nil, 0, nil // the sentinel
	}
	p.hits = p.hits[:0]
	p.tree.Match(name, func(r *reading) { p.hits = append(p.hits, r) })
	if len(p.hits) == 0 {
		return nil, 0, nil
	}
	m, err := readLogged(f.subject, f.data, broker.Position{Shard: shard, Seq: f.seq})
	if err != nil || m.Expired(now) {
		return nil, 0, err
	}
	at := placeOf(f.seq, len(f.data)+messageOverhead)
	for _, r := range p.hits {
		if f.seq > r.upTo { // not by another of its filters
			r.take(at, places)
		}
	}
	return m, at, nil
}

// loggedTopic is the topic of a message in the log.
func loggedTopic(subject string) (string, bool) {
	levels, _, ok := loggedLevels(subject)
	if !ok {
		return "", false
	}
	name, err := topicOf(levels)
	return name, err == nil
}

// loggedLevels are the levels and the last token of a subject of the log.
func loggedLevels(subject string) (levels, id string, ok bool) {
	rest, ok := strings.CutPrefix(subject, logPrefix)
	_, rest, _ = strings.Cut(rest, ".") // the shard
	_, rest, _ = strings.Cut(rest, ".") // the bucket
	end := strings.LastIndexByte(rest, '.')
	if !ok || end < 0 {
		return "", "", false
	}
	return rest[:end], rest[end+1:], true
}
