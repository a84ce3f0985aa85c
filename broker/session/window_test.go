package session_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/session"
)

// TestPacketIdentifiersWrap holds two identifiers while all others come round
// twice. [MQTT-2.3.1-1] [MQTT-2.3.1-4].
func TestPacketIdentifiersWrap(t *testing.T) {
	l := session.DefaultLimits()
	l.MaxInflight = 3
	m := newModel(t, l, nil)
	subscribe(m)
	m.deliver("acme/a", 1, false)
	m.deliver("acme/a", 1, false)
	for range 140_000 {
		m.deliver("acme/a", 1, false) // fails if an identifier is 0 or in flight
		for id := range m.inflight {
			if id > 2 {
				m.puback(id)
			}
		}
	}
	if len(m.inflight) != 2 || len(m.owed) != 0 {
		t.Fatalf("in flight %v, owed %d", m.inflight, len(m.owed))
	}
}
