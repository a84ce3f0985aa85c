package session

import (
	"reflect"
	"unsafe"
)

// Size of a session's struct in bytes.
const Size = unsafe.Sizeof(Session{})

// The codes of a reason in a DISCONNECT and in a CONNACK.
var (
	Farewell = farewell
	Refusal  = refusal
)

// NobodyWroteToNone reports whether what sessions share is still empty.
func NobodyWroteToNone() bool { return reflect.DeepEqual(none, seldom{}) }

// SetAuthorizer lets another answer than Accept has named; a real one changes
// its mind by itself.
func (s *Session) SetAuthorizer(a Authorizer) { s.authorizer = a }
