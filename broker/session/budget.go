package session

import (
	"math"
	"strings"
	"time"
)

// Budget answers for what the client's app and organization may use up, together
// with all their other clients. An Authorizer may be one as well; without it
// there are no such limits. It is called from within the session's methods, often,
// and must not block.
type Budget interface {
	// Bounds are those of what clients say. They may change at any time.
	Bounds() Bounds
	// Spend pays for a message with so many bytes of payload, or says that there
	// is nothing left: then it is not taken. Only a client that can be told so is
	// asked for; the others' messages are taken, and the driver reads them more
	// slowly.
	Spend(bytes int, now time.Time) bool
	// Credit is how many bytes of payload may go to the client now, 1 at least. It
	// bounds what is sent of the log and of retained messages at once: what comes
	// live is the driver's to hold back, by Congest.
	Credit(now time.Time) uint32
}

// Bounds of a tenant, beside those of the server; 0 is none.
type Bounds struct {
	TopicLevels int // of a topic name or filter, without what a mount adds
	TopicBytes  int // its length, likewise
	Payload     int // bytes of a message
}

// bounds are the tenant's of now.
func (s *Session) bounds() Bounds {
	if b, ok := s.authorizer.(Budget); ok {
		return b.Bounds()
	}
	return Bounds{}
}

// withinLimits bounds a topic name or filter.
func (s *Session) withinLimits(topic string) bool {
	if len(topic) > s.limits.MaxTopicBytes || strings.Count(topic, "/") >= s.limits.MaxTopicLevels {
		return false
	}
	b := s.bounds()
	if b.TopicBytes == 0 && b.TopicLevels == 0 {
		return true
	}
	topic = s.bare(topic)
	return within(len(topic), b.TopicBytes) && within(strings.Count(topic, "/")+1, b.TopicLevels)
}

// mayCarry says whether a message may have a payload of n bytes.
func (s *Session) mayCarry(n int) bool { return within(n, s.bounds().Payload) }

// affords takes a message of n bytes into account. A client that has no code for
// it, or no acknowledgement, is not told, and its messages are taken.
func (s *Session) affords(n int, qos byte, now time.Time) bool {
	b, ok := s.authorizer.(Budget)
	return !ok || !s.v5() || qos == 0 || b.Spend(n, now)
}

// credit is how many bytes may be sent at once.
func (s *Session) credit(now time.Time) uint32 {
	if b, ok := s.authorizer.(Budget); ok {
		return b.Credit(now)
	}
	return math.MaxUint32
}

func within(n, most int) bool { return most == 0 || n <= most }
