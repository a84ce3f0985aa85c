package chaos_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/internal/cluster"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

const (
	contestants = 50
	rounds      = 6 // the second half without Redis
)

// contestant is a client identifier that connects everywhere at once.
type contestant struct {
	as    door
	conns [cluster.Size]*client // of the last round; nil where it was refused
}

// testContest: one client identifier connects on all nodes at the same moment,
// and one connection is left, which gets what is published.
func (s *stage) testContest(t *testing.T) {
	all := make([]*contestant, contestants)
	for i := range all {
		version := []packet.Version{packet.V5, packet.V311}[i%2]
		all[i] = &contestant{as: door{id: fmt.Sprintf("contest-%d", i), version: version, expiry: week}}
		c, _ := s.enter(t, 1, all[i].as)
		c.subscribe(t, s.topic(all[i].as.id), 1)
	}
	publisher, _ := s.enter(t, 2, door{id: "contest-publisher"})
	for round := range rounds {
		if round == rounds/2 {
			s.do(t, "kill", "redis")
		}
		s.contest(t, all)
		for i, c := range all {
			payload := fmt.Sprintf("round %d", round)
			publisher.publish(s.topic(c.as.id), payload, 1, uint16(i+1))
			publisher.acknowledged(t, 1, uint16(i+1))
			c.hears(t, payload)
		}
	}
	s.do(t, "start", "redis")
	s.contest(t, all)
}

// contest has all connect everywhere, and waits until one connection of each is
// left.
func (s *stage) contest(t *testing.T, all []*contestant) {
	t.Helper()
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for _, c := range all {
		for node := range c.conns {
			wg.Go(func() {
				<-begin
				conn, ack, err := s.dial(t.Context(), node+1, c.as)
				c.conns[node] = conn
				if err == nil && refused(ack) {
					c.conns[node] = nil
				}
			})
		}
	}
	began := time.Now()
	close(begin)
	wg.Wait()
	answered := time.Since(began)
	for _, c := range all {
		testenv.Eventually(t, answerPatience, c.as.id+" has one connection", func() bool { return len(c.open()) <= 1 })
		if len(c.open()) == 0 {
			t.Errorf("%s has no connection", c.as.id)
		}
		for _, conn := range c.conns {
			if conn != nil && c.as.version == packet.V5 && isClosed(conn) {
				if reason := conn.farewell(t); reason != packet.SessionTakenOver {
					t.Errorf("%s: who lost was told %v", c.as.id, reason)
				}
			}
		}
	}
	t.Logf("all were answered in %v, and settled in %v", answered.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}

func isClosed(c *client) bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// open are the connections that stand.
func (c *contestant) open() (standing []*client) {
	for _, conn := range c.conns {
		if conn != nil && !isClosed(conn) {
			standing = append(standing, conn)
		}
	}
	return standing
}

// hears: a message comes once, to the one connection.
func (c *contestant) hears(t *testing.T, payload string) {
	t.Helper()
	standing := c.open()
	if len(standing) != 1 {
		t.Fatalf("%s has %d connections", c.as.id, len(standing))
	}
	one := standing[0]
	if !one.until(answerPatience, func() bool { return one.heard[payload] > 0 }) {
		t.Errorf("%s: %q has not come", c.as.id, payload)
	}
	total := 0
	for _, conn := range c.conns {
		if conn != nil {
			total += conn.count(payload)
		}
	}
	if total != 1 {
		t.Errorf("%s: %q came %d times", c.as.id, payload, total)
	}
}
