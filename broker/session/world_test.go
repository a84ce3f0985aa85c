package session_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// epoch is when every script begins.
var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// grants is a simple Authorizer: filters that are allowed and denied, for
// publishing and subscribing alike, behind the wall of acme.
type grants struct{ allow, deny []string }

func (g grants) MayPublish(name string) bool {
	return topic.InsideWall("acme", name) && matches(g.allow, name, topic.Match) && !matches(g.deny, name, topic.Match)
}

func (g grants) MaySubscribe(filter string) bool {
	return topic.InsideWall("acme", filter) && matches(g.allow, filter, topic.Covers) && !matches(g.deny, filter, topic.Intersects)
}

// purse is a Budget: so many messages may be published, and so many bytes sent at
// once.
type purse struct {
	grants

	bounds   session.Bounds
	messages int
	credit   uint32
}

func (p *purse) Bounds() session.Bounds { return p.bounds }

func (p *purse) Spend(int, time.Time) bool {
	p.messages--
	return p.messages >= 0
}

func (p *purse) Credit(time.Time) uint32 { return p.credit }

func matches(filters []string, what string, by func(a, b string) bool) bool {
	for _, f := range filters {
		if by(f, what) {
			return true
		}
	}
	return false
}

// world is what a script plays in: a client's sessions, one after the other,
// their driver, the log and the time.
type world struct {
	t         *testing.T
	now       time.Time
	limits    session.Limits
	session   *session.Session
	version   packet.Version  // of the client
	connect   *packet.Connect // of the last Authenticate effect
	record    *broker.Record  // of the last Close effect, or of the last Persist that was written
	found     *broker.Record  // by the next Claim
	owner     bool            // the record is the session's
	writing   *session.Effect // the last Persist
	ids       uint64          // given out by NextID
	seqs      []uint64        // of the last Fetch effect
	encodings session.Encodings
	log       map[uint64]*broker.Message
	head      uint64 // of the log
	retained  bool   // the script answers Replay effects itself
	claims    bool   // and Claim effects
	persists  bool   // and Persist effects
	takes     bool   // and Take effects
	wants     bool
	said      []string // what a command itself has to say in the trace
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.reset(session.DefaultLimits())
	return w
}

func (w *world) reset(limits session.Limits) {
	*w = world{t: w.t, now: epoch, limits: limits, wants: true, log: map[uint64]*broker.Message{}}
	w.session = session.New(&w.limits, w.now)
}

// run carries out one line and returns its trace.
func (w *world) run(line string) []string {
	name, a := parse(w.t, line)
	command, ok := commands[name]
	if !ok {
		w.t.Fatalf("%s: no such command", line)
	}
	w.said = nil
	command(w, a)
	a.done()
	return w.trace()
}

// trace drains the session.
func (w *world) trace() []string {
	lines := w.said
	for {
		effects := w.session.Effects()
		lines = append(lines, w.output()...)
		if len(effects) == 0 {
			break
		}
		for i := range effects {
			lines = append(lines, w.effect(&effects[i])...)
		}
	}
	if d := w.session.Drops(); d != (session.Drops{}) {
		lines = append(lines, showDrops(d))
	}
	if wants := w.session.Wants(); wants != w.wants && !w.session.Closed() {
		w.wants = wants
		lines = append(lines, map[bool]string{true: "wants packets", false: "wants no packets"}[wants])
	}
	return lines
}

// output is what the session has sent.
func (w *world) output() []string {
	var lines []string
	for out := w.session.Output(); len(out) > 0; {
		f, n, err := packet.Split(out, 0)
		if err != nil || n == 0 {
			w.t.Fatalf("output is not a packet: %x: %v", out, err)
		}
		f.Version = w.session.Version()
		lines = append(lines, "-> "+showPacket(w.t, f))
		out = out[n:]
	}
	return lines
}

// effect shows an effect, and keeps what a later command refers to. Where a
// script is not about retained messages there are none.
func (w *world) effect(e *session.Effect) []string {
	switch e.Kind {
	case session.Authenticate:
		w.connect = e.Connect
	case session.Claim:
		if !w.claims {
			w.claimed(nil)
			return nil
		}
	case session.Persist:
		w.writing = e
		if !w.persists {
			w.persisted(nil)
			return nil
		}
	case session.Take:
		if !w.takes {
			w.session.Taken(e.Loan, w.now)
			return nil
		}
	case session.Fetch:
		w.seqs = e.Seqs
	case session.Close:
		if w.owner {
			w.record = e.Record
		}
	case session.Replay:
		if !w.retained {
			w.session.Replayed(e.Cursor, nil, true, nil, w.now)
			return nil
		}
	case session.Abandon:
		if !w.retained {
			return nil
		}
	default:
	}
	lines := []string{"do " + showEffect(*e, w.now)}
	if e.Record != nil {
		lines = append(lines, "   "+showRecord(e.Record, w.now))
	}
	if e.Will != nil {
		lines = append(lines, "   "+showWill(e.Will, w.now))
	}
	return lines
}

func (w *world) claimed(err error) {
	w.owner = err == nil
	w.session.Claimed(w.found, err, w.now)
}

// persisted answers the last Persist.
func (w *world) persisted(err error) {
	switch {
	case err == nil:
		w.record = w.writing.Record
	case errors.Is(err, broker.ErrConflict):
		w.owner = false
	}
	w.session.Persisted(w.writing.Token, err, w.now)
}

// nextID makes identifiers that a trace can show: they count up.
func (w *world) nextID(time.Time) ulid.ULID {
	w.ids++
	var id ulid.ULID
	binary.BigEndian.PutUint64(id[8:], w.ids)
	return id
}

// receive feeds bytes as a driver does.
func (w *world) receive(b []byte) {
	for len(b) > 0 {
		f, n, err := packet.Split(b, w.limits.MaxPacket)
		if err != nil {
			w.session.Malformed(err, w.now)
			return
		}
		if n == 0 {
			w.t.Fatalf("%x is not a whole packet", b)
		}
		w.session.Receive(f, w.now)
		for i := range f.Body {
			f.Body[i] = '!' // nothing of a frame may be kept
		}
		b = b[n:]
	}
}

// loan is a broker.Loan of the message at that sequence. The session calls
// none of its methods.
type loan uint64

var errLoan = errors.New("the session has called a loan's method")

func (loan) Done()        { panic(errLoan) }
func (loan) Return() bool { panic(errLoan) }
func (loan) Keep(func())  { panic(errLoan) }

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
