package edge

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker/session"
)

// claimSubject announces to other nodes that a connection took a session key.
const claimSubject = "session.claimed"

// seat is one connection's place at a session key. A new connection takes its
// seat once the one before is free: closed, and its record put away.
type seat struct {
	conn   *conn
	claim  string // ULID of the claim, so that the newer of two is known
	before *seat  // not free yet; nil otherwise
	after  *seat  // waits for this one
	closed bool
	enter  func() // called once when before is free
}

// owners maps session keys to the newest seat of each. The newest connection
// wins [MQTT-3.1.4-2] [MQTT-3.1.4-3].
type owners struct {
	mu    sync.Mutex // guards byKey and all seats
	byKey map[string]*seat
}

// own gives key to c: its former connection on this node or another is closed.
// enter is called when the former one on this node has put its record away,
// from any goroutine, unless c is closed before.
func (e *Edge) own(key string, c *conn, now time.Time, enter func()) {
	s := &seat{conn: c, claim: nextID(now).String(), enter: enter}
	c.seat, c.key = s, key
	e.owners.mu.Lock()
	former := e.owners.byKey[key]
	if former != nil {
		s.before, former.after = former, s
	}
	e.owners.byKey[key] = s
	e.owners.mu.Unlock()
	if former != nil {
		former.conn.takeover()
	}
	if err := e.deps.Bus.Announce(claimSubject, []byte(e.cfg.Node+" "+s.claim+" "+key)); err != nil {
		c.log().Warn("session claim not announced", slog.Any("error", err))
	}
	if former == nil {
		enter()
	}
}

// disown frees c's seat, and those behind it that were given up meanwhile.
func (e *Edge) disown(c *conn) {
	if c.seat == nil {
		return
	}
	e.owners.mu.Lock()
	s := c.seat
	s.closed = true
	var enter func()
	for s != nil && s.closed && s.before == nil {
		if e.owners.byKey[c.key] == s {
			delete(e.owners.byKey, c.key)
		}
		next := s.after
		if next != nil {
			next.before = nil
			if !next.closed {
				enter = next.enter
			}
		}
		s = next
	}
	e.owners.mu.Unlock()
	if enter != nil {
		enter()
	}
}

// claimed hears that a node took a session key. A claim of another node ends
// this node's connection, unless that one is newer, and its record.
func (e *Edge) claimed(data []byte) {
	node, rest, ok := strings.Cut(string(data), " ")
	if !ok || node == e.cfg.Node {
		return
	}
	claim, key, ok := strings.Cut(rest, " ")
	if !ok {
		return
	}
	e.owners.mu.Lock()
	held := e.owners.byKey[key]
	e.owners.mu.Unlock()
	switch {
	case held == nil:
		e.records.drop(key)
	case held.claim < claim:
		held.conn.takeover()
	}
}

// takeover ends the connection from any goroutine.
func (c *conn) takeover() {
	c.loop.post(event{kind: evDo, do: func(now time.Time) {
		c.step(func(s *session.Session) { s.Takeover(now) })
	}})
}
