package chaos_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// testRecord: a session whose record nobody understands is not begun anew over
// it. Its client is refused, and nobody else.
func (s *stage) testRecord(t *testing.T) {
	kv := s.bucket(t, "SESSIONS")
	for name, spoil := range map[string]func([]byte) []byte{
		"garbage": func([]byte) []byte { return []byte("\x01garbage") },
		"empty":   func([]byte) []byte { return nil },
		"newer":   func(data []byte) []byte { return append([]byte{99}, data[1:]...) },
		"cut":     func(data []byte) []byte { return data[:len(data)/2] },
	} {
		id := "record-" + name
		as := door{id: id, expiry: week}
		c, _ := s.enter(t, 1, as)
		c.subscribe(t, s.topic(id), 1)
		c.leave(t)
		var key string
		testenv.Eventually(t, answerPatience, id+" has a record", func() bool {
			all := keys(t, kv)
			i := slices.IndexFunc(all, func(key string) bool { return strings.HasSuffix(key, "."+id) })
			if i < 0 {
				return false
			}
			key = all[i]
			return true
		})
		entry, err := kv.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		spoilt := spoil(entry.Value())
		revision, err := kv.Put(t.Context(), key, spoilt)
		if err != nil {
			t.Fatal(err)
		}
		s.testRefused(t, as, 2, packet.ServerUnavailableV5)
		if n := s.said(t, "fanfare-2", `"level":"ERROR"`, "cannot be read", id); n != 1 {
			t.Errorf("%s: %d lines in the log say so, want 1", id, n)
		}
		as.version = packet.V311
		s.testRefused(t, as, 3, packet.ReasonCode(packet.ServerUnavailable))
		as.clean = true
		s.testRefused(t, as, 1, packet.ReasonCode(packet.ServerUnavailable))
		entry, err = kv.Get(t.Context(), key)
		if err != nil || entry.Revision() != revision || !bytes.Equal(entry.Value(), spoilt) {
			t.Errorf("%s: the record was touched: %v %v", id, entry, err)
		}
		if _, present := s.enter(t, 2, door{id: id + "-other", expiry: week}); present {
			t.Errorf("%s: another client has its session", id)
		}
	}
}

func (s *stage) testRefused(t *testing.T, as door, node int, want packet.ReasonCode) {
	t.Helper()
	c, ack, err := s.dial(t.Context(), node, as)
	if err != nil {
		t.Fatal(err)
	}
	defer c.drop()
	got := ack.Reason
	if as.version == packet.V311 {
		got = packet.ReasonCode(ack.Code)
	}
	if got != want {
		t.Errorf("%s on node %d: CONNACK %v, want %v", as.id, node, got, want)
	}
	if !c.closed(answerPatience) {
		t.Errorf("%s on node %d: connected after a refusal", as.id, node)
	}
}
