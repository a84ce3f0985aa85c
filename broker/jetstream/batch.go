package jetstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// batchMost is the most messages of a batch: a server's own limit.
	batchMost = 1000
	// batchBytes bounds a batch: one message more than that does not fit.
	batchBytes = 4 << 20
	// batchLeast is how many messages are refused together when the log has no
	// room for them; larger batches are cut in half first, so that what fits in
	// is taken.
	batchLeast = 16
	// busyMost is how often in a row a message may be under way already before
	// its batch is sent one by one: the message may be in the batch twice.
	busyMost = 2
)

// JetStream's error codes for batches.
const (
	errNotLeader  = 10009
	errIncomplete = 10176 // the leader changed, or has forgotten the beginning
	errBatchSize  = 10199 // the server allows fewer messages
	errRepeated   = 10201 // a Msg-Id was there before
	errBatches    = 10210 // too many batches under way
)

// What the log's answer asks to be done with a batch beside what an outcome
// says of one message.
type batchOutcome struct {
	outcome
	count   uint64 // messages stored, the last at seq
	busy    bool   // again, since one is under way
	smaller bool   // again, with fewer
	refused bool   // one was there before, so that none was stored
	alone   bool   // one is at fault, so that none was stored
}

// readBatch reads the answer to a batch.
func readBatch(m *nats.Msg) batchOutcome {
	if len(m.Data) == 0 {
		return batchOutcome{outcome: outcome{again: true}}
	}
	if !bytes.Contains(m.Data, []byte(`"error"`)) {
		seq, _ := numberAfter(m.Data, `"seq":`)
		count, _ := numberAfter(m.Data, `"count":`)
		return batchOutcome{outcome: outcome{seq: seq}, count: count}
	}
	var answer errorAnswer
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return batchOutcome{alone: true}
	}
	switch code := answer.Error.ErrCode; code {
	case errWrongLast, errRepeated:
		return batchOutcome{refused: true}
	case errBusyLast:
		return batchOutcome{outcome: outcome{again: true}, busy: true}
	case errBatchSize:
		return batchOutcome{outcome: outcome{again: true}, smaller: true}
	case errIncomplete, errBatches, errNotLeader:
		return batchOutcome{outcome: outcome{again: true}}
	default:
		out := judge(code, answer.Error.Description)
		return batchOutcome{outcome: out, alone: out.err != nil && !isFull(out.err)}
	}
}

// answerBatch notes what became of a batch; the results are those of answer.
func (l *lane) answerBatch(number uint64, out batchOutcome, now time.Duration) (settle, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number != l.batch || l.inFlight == 0 || l.asked > 0 {
		return false, false // given up, or sent again
	}
	l.progress = now
	switch {
	case out.again:
		l.againBatch(out, now)
		return false, false
	case out.alone:
		l.mark(func(e *entry) { e.solo = true })
	case isFull(out.err) && l.inFlight > batchLeast:
		l.room = max(batchLeast, l.inFlight/2)
	case out.refused, out.err == nil && out.count != uint64(l.inFlight): //nolint:gosec // not negative
		l.mark(doubt)
	default:
		l.finishBatch(out)
		return true, l.next < l.queue.tail
	}
	l.busy = 0
	l.back(l.queue.head)
	return false, true
}

// againBatch sends the same messages once more, a little later.
func (l *lane) againBatch(out batchOutcome, now time.Duration) {
	if out.smaller {
		l.most = max(1, l.most/2)
		l.room = min(l.room, l.most)
	}
	if l.busy++; !out.busy {
		l.busy = 0
	}
	if l.busy >= busyMost {
		l.mark(func(e *entry) { e.solo = true })
	}
	l.back(l.queue.head)
	l.hold = now + retryDelay
}

// doubt has a message looked for before it is sent again. With a collapse key
// its place tells nothing, but its Msg-Id does.
func doubt(e *entry) {
	e.doubt, e.solo = e.m.CollapseKey == "", e.m.CollapseKey != ""
}

// mark changes the entries of the batch.
func (l *lane) mark(f func(*entry)) {
	for i := l.queue.head; i < l.reach; i++ {
		if e := l.queue.at(i); e.state == sent {
			f(e)
		}
	}
}

// finishBatch gives each message of the batch its place: the last has the
// answer's, and nothing lies between them.
func (l *lane) finishBatch(out batchOutcome) {
	seq := out.seq - uint64(l.inFlight) //nolint:gosec // not negative
	l.busy = 0
	if out.err == nil {
		l.room = min(2*l.room, l.most)
	}
	l.mark(func(e *entry) {
		seq++
		l.newest = max(l.newest, e.sent)
		one := out.outcome
		if one.err == nil {
			one.seq = seq
		}
		l.finish(e, one)
	})
}

// batchMark begins the shard in the reply subject of a batch.
const batchMark = "b"

// sendBatch hands a batch to the connection's buffer. Only its last message
// asks for an answer; the server takes nothing of a batch that has a gap.
func (l *link) sendBatch(shard int, parcels []parcel, number uint64) error {
	l.batchID[0] = l.name + strconv.FormatUint(number, 36) + "." + strconv.Itoa(shard)
	l.head[headerBatch], l.head[headerBatchSeq] = l.batchID, l.batchSeq
	defer l.unbatch()
	for i, p := range parcels {
		l.batchSeq[0] = batchNumbers[i]
		l.reply = l.reply[:0]
		if i == len(parcels)-1 {
			l.head[headerCommit] = l.commit
			l.address(shard, number, batchMark)
		}
		if err := l.write(shard, p); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) unbatch() {
	delete(l.head, headerBatch)
	delete(l.head, headerBatchSeq)
	delete(l.head, headerCommit)
}

// batchNumbers are the numbers of messages within a batch.
var batchNumbers = func() (numbers [batchMost]string) {
	for i := range numbers {
		numbers[i] = strconv.Itoa(i + 1)
	}
	return numbers
}()

// isFull says that the log has no room.
func isFull(err error) bool { return errors.Is(err, broker.ErrLogFull) }
