package jetstream

import (
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// window and windowBytes bound what one node has under way to one stream.
	// A server queues 100,000 messages or 128 MiB for a stream and refuses the
	// rest, and it serves several nodes.
	window      = 4096
	windowBytes = 16 << 20
	// retryDelay follows an answer that asks for another attempt.
	retryDelay = 250 * time.Millisecond
	// resendAfter is how long an answer may be missing while none comes at all,
	// or while later ones come.
	resendAfter = 2 * time.Second
	// giveUp is when an append without an answer fails with ErrUnavailable. It
	// is several elections of a replicated stream long (4 to 9 seconds each).
	// Whether such a message was stored is not known.
	giveUp = 30 * time.Second
	// entryBytes is what an append costs beside payload and topic, about.
	entryBytes = 256
)

// An entry waits to be sent, then for the log's answer, then for the answers
// of those before it. One with an old id waits for an answer twice: first to the
// question whether the log has it.
const (
	waiting = iota
	asked
	sent
	done
)

// lookup is a question about one message.
type lookup byte

const (
	askNothing lookup = iota
	askHour           // whether the hour of its id has it
	askPlace          // whether it is where it belongs
)

// entry is one append of this node.
type entry struct {
	m       *broker.Message
	ack     broker.Acknowledger
	tag     uint64
	entered time.Duration // on the appender's clock, as all times here
	sent    time.Duration
	state   int
	charge  charge
	shared  bool   // counted for its organization
	asking  lookup // of the question that is under way
	aged    bool   // the id is too old for its hour
	absent  bool   // and the log does not have it there
	doubt   bool   // the log may have it where it belongs
	solo    bool   // no batch may hold it
	outcome outcome
}

func (e *entry) underWay() bool { return e.state == asked || e.state == sent }

// asks tells which question comes before the append.
func (e *entry) asks() lookup {
	switch {
	case e.doubt:
		return askPlace
	case e.aged && !e.absent:
		return askHour
	}
	return askNothing
}

// answered notes that the log does not have what was asked for.
func (e *entry) answered() {
	if e.doubt {
		e.doubt = false
	} else {
		e.absent = true
	}
}

func (e *entry) bytes() int { return len(e.m.Payload) + properties(e.m) + len(e.m.Topic) + entryBytes }

// lane is the queue of appends to one shard. It sends in order and completes
// in the same order; after any trouble it goes back to the first message
// without an answer and sends all of them again, which costs nothing but time:
// the log refuses what it has and says where it is.
type lane struct {
	// order is held while finished entries are completed; taken before mu.
	order    sync.Mutex
	finished []entry // scratch of completion

	mu       sync.Mutex // guards the fields below; nothing is called under it
	queue    ring
	next     uint64 // the first entry that waits
	reach    uint64 // no entry from here on is under way
	inFlight int
	asked    int           // of those
	most     int           // messages that a batch may have; 0: each goes by itself
	room     int           // messages that a batch may have now, at most most
	batch    uint64        // counts the batches
	busy     int           // answers in a row that told of a message under way
	bytes    int           // in flight
	progress time.Duration // when the last answer came
	newest   time.Duration // the latest sending that was answered
	hold     time.Duration // nothing is sent before
	closed   bool
}

// push takes a new entry; it fails when the lane is closed.
func (l *lane) push(e entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.queue.push(e)
	return true
}

// parcel is an entry on its way out.
type parcel struct {
	index uint64
	m     *broker.Message
	ask   lookup // instead of an append
	aged  bool
	until int64 // when the log forgets it, Unix ms; 0: when the stream does
}

// take moves entries that may be sent now to batch, as many as it has room for.
// Its number is for the answer to all of them.
func (l *lane) take(batch []parcel, now time.Duration) (parcels []parcel, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now < l.hold || l.most > 0 && l.inFlight > l.asked {
		return batch, 0
	}
	for len(batch) < cap(batch) && l.next < l.queue.tail {
		e := l.queue.at(l.next)
		if e.state == waiting {
			if l.full(e) || !l.fits(batch, e) {
				break
			}
			l.launch(e, now)
			batch = append(batch, parcel{index: l.next, m: e.m, ask: e.asking, aged: e.aged, until: e.charge.until})
		}
		l.next++
		l.reach = max(l.reach, l.next)
	}
	l.batch++
	return batch, l.batch
}

func (l *lane) full(e *entry) bool {
	return l.inFlight >= window || l.inFlight > 0 && l.bytes+e.bytes() > windowBytes
}

// fits tells whether e may be sent along with what is in batch. What follows an
// entry with an open question must not pass it.
func (l *lane) fits(batch []parcel, e *entry) bool {
	ask := e.asks() != askNothing
	switch {
	case l.asked > 0:
		return ask
	case l.most == 0 || len(batch) == 0:
		return true
	}
	return !ask && !e.solo && len(batch) < l.room && l.bytes+e.bytes() <= batchBytes &&
		!l.queue.at(batch[0].index).solo
}

// launch puts an entry into the window.
func (l *lane) launch(e *entry, now time.Duration) {
	e.state, e.sent, e.asking = sent, now, e.asks()
	if e.asking != askNothing {
		e.state = asked
		l.asked++
	}
	l.inFlight++
	l.bytes += e.bytes()
}

// answer notes an outcome. settle says that the first entry is finished, more
// that the window has room for entries that wait.
func (l *lane) answer(index uint64, out outcome, now time.Duration) (settle, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if index < l.queue.head || index >= l.queue.tail {
		return false, false // given up, or answered twice
	}
	e := l.queue.at(index)
	if e.state == done {
		return false, false
	}
	switch {
	case out.again && e.underWay():
		l.back(index)
		l.hold = now + retryDelay
		return false, false
	case out.again, out.absent && e.state != asked:
		return false, false
	}
	l.progress, l.newest = now, max(l.newest, e.sent)
	if out.absent {
		l.land(e)
		e.state = waiting
		e.answered()
		l.next = min(l.next, index)
		return false, true
	}
	l.finish(e, out)
	return index == l.queue.head, l.next < l.queue.tail
}

func (l *lane) finish(e *entry, out outcome) {
	l.land(e)
	e.state, e.outcome = done, out
}

// land takes an entry out of the window.
func (l *lane) land(e *entry) {
	if !e.underWay() {
		return
	}
	if e.state == asked {
		l.asked--
	}
	l.inFlight--
	l.bytes -= e.bytes()
}

// back makes all entries from index on wait to be sent again.
func (l *lane) back(index uint64) {
	for i := index; i < l.reach; i++ {
		if e := l.queue.at(i); e.underWay() {
			l.land(e)
			e.state = waiting
		}
	}
	l.next, l.reach = min(l.next, index), min(l.reach, index)
}

// restart sends everything without an answer again, on a new connection.
func (l *lane) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.back(l.queue.head)
	l.hold = 0
}

// check gives up what is too old and sends again what seems lost.
func (l *lane) check(now time.Duration) (gaveUp, wentBack bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gaveUp = l.giveUp(now)
	if l.queue.head == l.queue.tail || !l.lost(l.queue.at(l.queue.head), now) {
		return gaveUp, false
	}
	l.back(l.queue.head)
	return gaveUp, true
}

// giveUp gives up what is too old, and what the same publishers have sent since:
// they will send all of it again, and in the log the first copy of a later
// message must not come before that of an earlier one.
func (l *lane) giveUp(now time.Duration) bool {
	var publishers map[string]bool
	for i := l.queue.head; i < l.queue.tail; i++ {
		e := l.queue.at(i)
		old := now-e.entered >= giveUp
		if !old && publishers == nil {
			break
		}
		if e.state == done || (!old && !publishers[e.m.Publisher]) {
			continue
		}
		l.finish(e, outcome{err: broker.ErrUnavailable})
		if publishers == nil {
			publishers = make(map[string]bool)
		}
		publishers[e.m.Publisher] = e.m.Publisher != "" // the API has no order
	}
	return publishers != nil
}

// lost tells whether the first entry's answer is missing for too long: a
// stream answers in order, so a later answer or a long silence is a bad sign.
func (l *lane) lost(e *entry, now time.Duration) bool {
	if !e.underWay() || now-e.sent < resendAfter {
		return false
	}
	return l.newest > e.sent || now-l.progress >= resendAfter
}

// pop moves the finished entries at the front to into, as many as it has room
// for.
func (l *lane) pop(into []entry) []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(into) < cap(into) && l.queue.head < l.queue.tail && l.queue.at(l.queue.head).state == done {
		into = append(into, l.queue.pop())
		l.next = max(l.next, l.queue.head)
	}
	return into
}

// close refuses new entries and finishes those that are left.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for i := l.queue.head; i < l.queue.tail; i++ {
		if e := l.queue.at(i); e.state != done {
			l.finish(e, outcome{err: broker.ErrUnavailable})
		}
	}
}
