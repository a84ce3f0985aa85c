package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// answerPatience bounds one question's answer. An election of a replicated
	// stream takes longer; who asks asks again.
	answerPatience = 3 * time.Second
	// askPatience is how long a question is put again before it is given up.
	askPatience = 10 * time.Second
	// askAgain lies between attempts.
	askAgain = 50 * time.Millisecond

	directGet = "$JS.API.DIRECT.GET."
	leaderGet = "$JS.API.STREAM.MSG.GET." // answered by the leader alone
)

// Headers and statuses of answers.
const (
	headerStatus  = "Status"
	headerSubject = "Nats-Subject"
	headerSeq     = "Nats-Sequence"
	headerLast    = "Nats-Last-Sequence"
	headerPending = "Nats-Num-Pending"
	headerUpTo    = "Nats-UpTo-Sequence"

	statusEnd     = "204"
	statusNone    = "404"
	statusTooMany = "413"
)

var (
	errMatches = errors.New("more subjects match than one answer holds")
	errSlow    = errors.New("JetStream is slow to answer")
	errAnswer  = errors.New("JetStream gave no whole answer")
)

// asker puts questions over a connection and reads answers of many messages.
// One goroutine uses it; what comes late for an older question is passed over.
type asker struct {
	conn  *nats.Conn
	inbox string
	sub   *nats.Subscription
	reply string // of the current question
	count uint64
}

func newAsker(conn *nats.Conn) (*asker, error) {
	a := &asker{conn: conn, inbox: conn.NewInbox()}
	var err error
	if a.sub, err = conn.SubscribeSync(a.inbox + ".>"); err != nil {
		return nil, fmt.Errorf("jetstream: inbox: %w", err)
	}
	return a, a.sub.SetPendingLimits(-1, -1) // questions bound their answers
}

func (a *asker) close() { _ = a.sub.Unsubscribe() } // fails only when the connection is closed

// ask puts a question.
func (a *asker) ask(subject string, question any) error {
	a.begin()
	return a.send(subject, a.reply, question)
}

// begin starts a question of several parts; older answers do not count.
func (a *asker) begin() {
	a.count++
	a.reply = a.inbox + "." + strconv.FormatUint(a.count, 10)
}

// askPart puts one part of a question.
func (a *asker) askPart(subject string, part int, question any) error {
	return a.send(subject, a.reply+"."+strconv.Itoa(part), question)
}

func (a *asker) send(subject, reply string, question any) error {
	data, err := json.Marshal(question)
	if err != nil {
		return err
	}
	return a.conn.PublishRequest(subject, reply, data)
}

// next waits for a message of the answer.
func (a *asker) next(ctx context.Context) (*nats.Msg, error) {
	for {
		m, err := a.sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, err
		}
		if m.Subject == a.reply {
			return m, nil
		}
	}
}

// nextPart waits for an answer to one of the parts.
func (a *asker) nextPart(ctx context.Context) (part int, m *nats.Msg, err error) {
	for {
		m, err := a.sub.NextMsgWithContext(ctx)
		if err != nil {
			return 0, nil, err
		}
		if n := len(a.reply) + 1; len(m.Subject) > n && m.Subject[:n] == a.reply+"." {
			part, err := strconv.Atoi(m.Subject[n:])
			return part, m, err
		}
	}
}

// question is a direct get of a stream.
type question struct {
	Seq       uint64   `json:"seq,omitempty"`
	MultiLast []string `json:"multi_last,omitempty"`
	LastFor   string   `json:"last_by_subj,omitempty"`
	Batch     int      `json:"batch,omitempty"`
	MaxBytes  int      `json:"max_bytes,omitempty"`
}

// replicaAnswer is what a replica said to a multi_last.
type replicaAnswer struct {
	// whole says that it ended as it should with nothing missing on the way.
	whole bool
	// last is the sequence of the last message before anything was missing;
	// every match from the question's to it was seen.
	last uint64
	// pending is how many matches follow after last.
	pending uint64
	// upTo is the replica's head.
	upTo uint64
	// none says that nothing at all matched: not even a sentinel, so that the
	// replica's head is not known.
	none bool
}

// multiLast asks for the last message of every matching subject, by rising
// sequence, and hands them to each. errMatches is a final answer; other errors
// and an answer that is not whole ask for another attempt.
func (a *asker) multiLast(ctx context.Context, stream string, q question, each func(uint64, *nats.Msg)) (replicaAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	var ans replicaAnswer
	if err := a.ask(directGet+stream, q); err != nil {
		return ans, err
	}
	broken := false
	for {
		m, err := a.next(ctx)
		if err != nil {
			return ans, err
		}
		if m.Header.Get(headerStatus) != "" {
			return ans, ans.end(m, broken)
		}
		seq, before := number(m, headerSeq), number(m, headerLast)
		if broken = broken || seq == 0 || before != ans.last; !broken {
			ans.last = seq
			each(seq, m)
		}
	}
}

// end reads the last message of an answer.
func (ans *replicaAnswer) end(m *nats.Msg, broken bool) error {
	switch m.Header.Get(headerStatus) {
	case statusEnd:
		ans.pending, ans.upTo = number(m, headerPending), number(m, headerUpTo)
		ans.whole = !broken && number(m, headerLast) == ans.last
		return nil
	case statusTooMany:
		return errMatches
	case statusNone:
		// The same status tells of a message that could not be loaded.
		ans.none = m.Header.Get("Description") == "No Results" && ans.last == 0
		return nil
	}
	return fmt.Errorf("%w: %s %s", errAnswer, m.Header.Get(headerStatus), m.Header.Get("Description"))
}

func number(m *nats.Msg, header string) uint64 {
	n, err := strconv.ParseUint(m.Header.Get(header), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
