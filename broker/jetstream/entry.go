package jetstream

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
)

// stored is what a bucket has under a subject.
type stored struct {
	revision uint64 // 0: nothing
	removed  bool
	writer   string
	number   uint64 // of the writer's write
	data     []byte
}

// there says that a value is there.
func (s *stored) there() bool { return s.revision > 0 && !s.removed }

// readEntry reads an entry as it comes from a replica or a consumer.
func readEntry(revision uint64, header nats.Header, data []byte) stored {
	s := stored{revision: revision, data: data}
	s.removed = header.Get(headerOperation) != "" || header.Get(headerMarker) != ""
	writer, number, _ := strings.Cut(header.Get(headerWrite), ".")
	s.writer = writer
	s.number, _ = strconv.ParseUint(number, 10, 64) // 0 is nobody's
	return s
}

// directAnswer reads a replica's answer; ok is false if it says nothing.
func directAnswer(m *nats.Msg) (s stored, ok bool) {
	switch m.Header.Get(headerStatus) {
	case "":
		seq := number(m, headerSeq)
		return readEntry(seq, m.Header, m.Data), seq > 0
	case statusNone:
		return stored{}, true
	}
	return stored{}, false
}

// leaderAnswer reads the leader's answer.
func leaderAnswer(m *nats.Msg) (s stored, ok bool) {
	var a storedAnswer
	switch err := json.Unmarshal(m.Data, &a); {
	case err != nil: // 503 too: there is no leader
		return stored{}, false
	case a.Error.ErrCode == errNoMessage:
		return stored{}, true
	case a.Message.Seq == 0:
		return stored{}, false
	case len(a.Message.Header) == 0:
		return stored{revision: a.Message.Seq, data: a.Message.Data}, true
	}
	header, err := nats.DecodeHeadersMsg(a.Message.Header)
	return readEntry(a.Message.Seq, header, a.Message.Data), err == nil
}

// askLeader fills in the question for an entry that the leader answers.
func askLeader(m *nats.Msg, bucket, subject string) {
	m.Subject = leaderGet + bucketStream(bucket)
	m.Data, _ = json.Marshal(question{LastFor: subject}) // a text cannot fail
}

// load reads an entry: from any replica, but that nothing is there is believed
// of the leader alone. What a replica has may be old; whoever writes on the
// grounds of it compares and sets, and finds out.
type load struct {
	bucket, subject string
	leader          bool // to be asked
	replicated      bool
	fn              func(stored, error)
}

var _ errand = (*load)(nil)

func (l *load) question(m *nats.Msg) {
	if l.leader {
		askLeader(m, l.bucket, l.subject)
		return
	}
	m.Subject = directGet + bucketStream(l.bucket) + "." + l.subject
}

func (l *load) answer(m *nats.Msg) verdictOf {
	if m == nil {
		l.leader = l.replicated // another server perhaps
		return askNow
	}
	read := directAnswer
	if l.leader {
		read = leaderAnswer
	}
	s, ok := read(m)
	switch {
	case !ok:
		return askLater
	case !s.there() && l.replicated && !l.leader:
		l.leader = true
		return askNow
	}
	l.fn(s, nil)
	return ended
}

func (l *load) fail(err error) { l.fn(stored{}, err) }

// write stores or removes an entry. When an answer is missing, or says that
// something else is there than was expected, the leader is asked what it has:
// a write that went unanswered may have been stored.
type write struct {
	store           *store
	bucket, subject string
	key             string // names it among the doubts; empty: it is not remembered
	number          uint64 // of this write
	expected        uint64
	blind           bool // expects nothing
	removal         bool
	strict          bool // it must be this removal that removes
	header          nats.Header
	data            []byte
	tries           int
	reading         bool // the question is what the leader has
	fn              func(revision uint64, err error)
}

var _ errand = (*write)(nil)

func (w *write) question(m *nats.Msg) {
	if w.reading {
		askLeader(m, w.bucket, w.subject)
		return
	}
	w.tries++
	delete(w.header, headerExpected)
	if !w.blind {
		w.header[headerExpected] = []string{strconv.FormatUint(w.expected, 10)}
	}
	m.Subject, m.Header, m.Data = w.subject, w.header, w.data
}

func (w *write) answer(m *nats.Msg) verdictOf {
	switch {
	case m == nil:
		w.reading = true
		return askNow
	case w.reading:
		return w.resolve(m)
	}
	out := readAck(m)
	switch {
	case out.duplicate || out.again && isWrongLast(m):
		if w.tries == 1 && !w.removal && !w.store.doubted(w.key) {
			return w.end(0, broker.ErrConflict)
		}
		w.reading = true
		return askNow
	case out.again:
		w.reading = true // once it has an answer for us
		return askLater
	case out.err != nil:
		return w.end(0, out.err)
	}
	return w.end(out.seq, nil)
}

// isWrongLast tells the refusal that names 0, nothing being there, from the
// answers that ask for patience.
func isWrongLast(m *nats.Msg) bool {
	code, ok := numberAfter(m.Data, `"err_code":`)
	return ok && code == errWrongLast
}

// resolve decides by what the leader has.
func (w *write) resolve(m *nats.Msg) verdictOf {
	s, ok := leaderAnswer(m)
	switch {
	case !ok:
		return askLater
	case w.mine(&s) && s.number == w.number, w.removal && !s.there() && !w.strict:
		return w.end(s.revision, nil)
	case !w.mayReplace(&s):
		return w.end(0, broker.ErrConflict)
	}
	w.expected, w.blind, w.reading = s.revision, false, false
	return askNow
}

func (w *write) mine(s *stored) bool { return s.writer == w.store.writer }

// mayReplace says that what is there is no reason not to write.
func (w *write) mayReplace(s *stored) bool {
	switch {
	case w.blind:
		return w.removal || s.revision == 0 || w.mine(s) && s.number < w.number
	case s.revision == w.expected:
		return true // this write was not stored, or is on its way, and the next is refused
	}
	return w.mine(s) && s.number < w.number && w.store.unsettled(w.key, s.number)
}

func (w *write) end(revision uint64, err error) verdictOf {
	w.store.settled(w.key, err)
	w.fn(revision, err)
	return ended
}

func (w *write) fail(err error) {
	if w.tries > 0 {
		w.store.doubt(w.key, w.number)
	}
	w.fn(0, err)
}
