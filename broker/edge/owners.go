package edge

import (
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker/session"
)

// claimSubject announces to other nodes that a connection took a session key.
const claimSubject = "session.claimed"

// owner is the connection that holds a session key on this node.
type owner struct {
	conn  *conn
	claim string // ULID of the claim, so that the newer of two is known
}

// owners maps session keys to their connections. The newest connection wins
// [MQTT-3.1.4-2].
type owners struct {
	mu    sync.Mutex // guards byKey
	byKey map[string]owner
}

// own gives key to c: its former connection on this node or another is closed.
func (e *Edge) own(key string, c *conn, now time.Time) {
	claim := ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String()
	c.claim = claim
	e.owners.mu.Lock()
	former, taken := e.owners.byKey[key]
	e.owners.byKey[key] = owner{conn: c, claim: claim}
	e.owners.mu.Unlock()
	if taken {
		former.conn.takeover()
	}
	if err := e.deps.Bus.Announce(claimSubject, []byte(e.cfg.Node+" "+claim+" "+key)); err != nil {
		c.log().Warn("session claim not announced", "error", err)
	}
}

// disown frees the key if c still holds it.
func (e *Edge) disown(c *conn) {
	key := c.session.Key()
	if key == "" {
		return
	}
	e.owners.mu.Lock()
	defer e.owners.mu.Unlock()
	if e.owners.byKey[key].conn == c {
		delete(e.owners.byKey, key)
	}
}

// claimed hears that a node took a session key. A claim of another node ends
// this node's connection, unless that one is newer.
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
	held, mine := e.owners.byKey[key]
	e.owners.mu.Unlock()
	if mine && held.claim < claim {
		held.conn.takeover()
	}
}

// takeover ends the connection from any goroutine.
func (c *conn) takeover() {
	c.loop.post(event{kind: evDo, do: func(now time.Time) {
		c.step(func(s *session.Session) { s.Takeover(now) })
	}})
}
