package edge

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker/session"
)

const (
	// probeInterval keeps a lost live message from outliving a minute: its loss
	// is found by the next round, whose questions take half as long.
	probeInterval = 30 * time.Second
	// doubtSpread is over how much time the sessions of a node ask after a known
	// loss.
	doubtSpread = time.Second
)

// doubt has all sessions ask the log soon.
func (e *Edge) doubt() {
	select {
	case e.doubted <- struct{}{}:
	default: // they are about to
	}
}

// askAround has sessions ask the log whether live messages of other nodes were
// lost: now and then, and at once when there is reason to think so.
func (e *Edge) askAround(ctx context.Context) {
	slow := time.NewTimer(e.jittered())
	defer slow.Stop()
	for {
		spread := min(doubtSpread, e.cfg.ProbeInterval/2)
		select {
		case <-ctx.Done():
			return
		case <-e.doubted:
		case <-slow.C:
			spread = e.cfg.ProbeInterval / 2
			slow.Reset(e.jittered())
		}
		for _, l := range e.loops {
			l.post(event{kind: evDo, do: func(now time.Time) { l.askAround(spread) }})
		}
	}
}

// jittered is the time to the next round: nodes that were started together do
// not ask together.
func (e *Edge) jittered() time.Duration {
	return e.cfg.ProbeInterval - rand.N(e.cfg.ProbeInterval/4) //nolint:gosec // chance, not a secret
}

// askAround asks for the heads of the shards that the loop's sessions are of.
// Who knows the log up to there is not asked.
func (l *loop) askAround(spread time.Duration) {
	var shards []uint16
	for c := range l.conns {
		if c.admitted && !slices.Contains(shards, c.shard) {
			shards = append(shards, c.shard)
		}
	}
	for _, shard := range shards {
		l.edge.deps.Bus.Head(shard, func(head uint64, err error) {
			if err != nil { // an election, which takes longer than the bus asks
				time.AfterFunc(doubtSpread, l.edge.doubt)
				return
			}
			l.post(event{kind: evDo, do: func(now time.Time) { l.suspect(shard, head, now.Add(spread)) }})
		})
	}
}

// suspect notes the sessions of a shard that do not know of its head.
func (l *loop) suspect(shard uint16, head uint64, due time.Time) {
	s := &l.suspects
	s.list = slices.DeleteFunc(s.list, func(x suspect) bool { return x.conn.shard == shard })
	if len(s.list) == 0 || due.Before(s.due) {
		s.due = due
	}
	for c := range l.conns { // in no order, which spreads them
		if c.admitted && !c.closed && c.shard == shard && !c.session.Knows(head) {
			s.list = append(s.list, suspect{conn: c, head: head})
		}
	}
}

// suspects are the sessions of a loop that are to ask the log, by due.
type suspects struct {
	list []suspect
	due  time.Time
}

// suspect is a session that may have missed something up to head.
type suspect struct {
	conn *conn
	head uint64
}

// some has as many of them ask as keeps the pace.
func (s *suspects) some(now time.Time) {
	if len(s.list) == 0 {
		return
	}
	turns := max(1, int(s.due.Sub(now)/wheelTick))
	n := (len(s.list) + turns - 1) / turns
	for _, x := range s.list[:n] {
		x.conn.step(func(k *session.Session) {
			if !k.Knows(x.head) { // it may have asked meanwhile
				k.Probe(now)
			}
		})
	}
	clear(s.list[:n])
	if s.list = s.list[n:]; len(s.list) == 0 {
		s.list = nil
	}
}
