package api

import (
	"encoding/json"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
)

// setEnd reads when credentials end: null for never, absent to leave it.
func (a *API) setEnd(end *time.Time, text []byte) error {
	given, when, err := optionalTime(text)
	switch {
	case err != nil:
		return at(err, "/expires_at")
	case !given:
		return nil
	case !when.IsZero() && !when.After(a.now()):
		return fault.New(fault.Invalid, "must be in the future").At("/expires_at")
	}
	*end = when
	return nil
}

// timeRef is nil for the zero time.
func timeRef(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// optionalTime reads a time that may be absent or null, which is the zero time.
// The precision is that of the store.
func optionalTime(text json.RawMessage) (given bool, t time.Time, err error) {
	switch string(text) {
	case "":
		return false, time.Time{}, nil
	case "null":
		return true, time.Time{}, nil
	}
	if json.Unmarshal(text, &t) != nil || t.IsZero() || t.UTC().Year() > 9999 {
		return true, time.Time{}, fault.New(fault.Invalid, "must be a time such as 2030-01-31T12:00:00Z")
	}
	return true, t.UTC().Truncate(time.Microsecond), nil
}
