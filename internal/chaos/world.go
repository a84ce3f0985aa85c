// Package chaos plays devices against a cluster whose nodes and NATS servers
// are killed, and counts what is lost, repeated or out of order.
package chaos

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// Config is the size of a run.
type Config struct {
	Seed uint64
	// Subscribers and Publishers are durable devices. Every publisher has as
	// many subscribers, whom it alone speaks to.
	Subscribers, Publishers int
	// QoS1 and QoS2 are how many messages are published, by all together.
	QoS1, QoS2 int
	// Duration is over how long they are spread.
	Duration time.Duration
	// NodeKills and NATSKills are how often one is killed meanwhile. What was
	// killed is started again after Down.
	NodeKills, NATSKills int
	Down                 time.Duration
	// Patience is how long to wait at the end for what is still owed.
	Patience time.Duration
}

// Report is what came of a run.
type Report struct {
	Published, Delivered int64
	// Lost were acknowledged to their publisher and did not reach a subscriber.
	Lost int64
	// Disordered arrived for the first time after a later one of their
	// publisher and topic.
	Disordered int64
	// Repeated1 and Repeated2 arrived more than once, by QoS; QoS 1 may.
	Repeated1, Repeated2 int64
	Reconnects           int64
	Kills                []string
	Took, Settled        time.Duration // all of it, and from the last publish on
	Problems             []string
}

// OK reports whether every promise was kept.
func (r *Report) OK() bool {
	return r.Lost == 0 && r.Disordered == 0 && r.Repeated2 == 0 && len(r.Problems) == 0
}

// String is the report in a few lines.
func (r *Report) String() string {
	return fmt.Sprintf("published %d, delivered %d, lost %d, out of order %d, QoS 2 repeated %d, QoS 1 repeated %d, "+
		"%d reconnects, %v in all, %v to settle\nkills: %v\nproblems: %v",
		r.Published, r.Delivered, r.Lost, r.Disordered, r.Repeated2, r.Repeated1, r.Reconnects,
		r.Took.Round(time.Millisecond), r.Settled.Round(time.Millisecond), r.Kills, r.Problems)
}

// world is what the devices of a run share.
type world struct {
	nodes           []string // MQTT addresses
	username, token string
	prefix          string

	delivered, disordered, repeated1, repeated2 atomic.Int64

	mu       sync.Mutex // guards problems
	problems []string
}

// maxProblems bounds what is remembered.
const maxProblems = 20

func (w *world) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.problems) < maxProblems {
		w.problems = append(w.problems, fmt.Sprintf(format, args...))
	}
}

// ledger is what one subscriber has had of its publisher, by QoS. It belongs
// to the subscriber's connection goroutine, of which there is one at a time.
type ledger struct {
	mu   sync.Mutex // guards what follows
	seen [3][]bool
	last [3]int
	have int
}

func newLedger(qos1, qos2 int) *ledger {
	l := &ledger{last: [3]int{-1, -1, -1}}
	l.seen[1], l.seen[2] = make([]bool, qos1), make([]bool, qos2)
	return l
}

// take notes message n of a QoS.
func (l *ledger) take(w *world, who string, n int, qos byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n >= len(l.seen[qos]) {
		w.problem("%s: message %d of QoS %d was never published", who, n, qos)
		return
	}
	w.delivered.Add(1)
	switch {
	case l.seen[qos][n] && qos == 1:
		w.repeated1.Add(1)
	case l.seen[qos][n]:
		w.repeated2.Add(1)
		w.problem("%s: QoS 2 message %d came twice", who, n)
	case n < l.last[qos]:
		w.disordered.Add(1)
		w.problem("%s: QoS %d message %d came after %d", who, qos, n, l.last[qos])
	}
	if !l.seen[qos][n] {
		l.seen[qos][n] = true
		l.have++
	}
	l.last[qos] = max(l.last[qos], n)
}

// missing counts what has not come.
func (l *ledger) missing() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen[1]) + len(l.seen[2]) - l.have
}

// number is a message's payload.
func number(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) } //nolint:gosec // far below

func numbered(payload []byte) int { return int(binary.BigEndian.Uint32(payload)) }

// versions alternate among the devices.
func versionOf(i int) packet.Version {
	if i%2 == 0 {
		return packet.V5
	}
	return packet.V311
}
