package session_test

import (
	"strings"
	"testing"
	"time"

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

func matches(filters []string, what string, by func(a, b string) bool) bool {
	for _, f := range filters {
		if by(f, what) {
			return true
		}
	}
	return false
}

// world is what a script plays in: one session, its driver and the time.
type world struct {
	t         *testing.T
	now       time.Time
	session   *session.Session
	connect   *packet.Connect // of the last Authenticate effect
	encodings session.Encodings
	maxPacket int
	wants     bool
	said      []string // what a command itself has to say in the trace
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.reset(session.DefaultLimits(), 1<<10)
	return w
}

func (w *world) reset(limits session.Limits, maxPacket int) {
	w.now, w.maxPacket, w.wants = epoch, maxPacket, true
	w.session = session.New(limits, w.now)
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
	effects := w.session.Effects()
	for out := w.session.Output(); len(out) > 0; {
		f, n, err := packet.Split(out, 0)
		if err != nil || n == 0 {
			w.t.Fatalf("output is not a packet: %x: %v", out, err)
		}
		lines = append(lines, "-> "+showPacket(w.t, f))
		out = out[n:]
	}
	for _, e := range effects {
		if e.Kind == session.Authenticate {
			w.connect = e.Connect
		}
		lines = append(lines, "do "+showEffect(e))
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

// receive feeds bytes as a driver does.
func (w *world) receive(b []byte) {
	for len(b) > 0 {
		f, n, err := packet.Split(b, w.maxPacket)
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

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
