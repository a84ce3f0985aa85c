package auth_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
)

// A token that was verified before is held against everything again that may
// have changed: the time, the client identifier, the app and the key.
func TestTokenThatWasSeen(t *testing.T) {
	var now atomic.Int64
	now.Store(noon.Unix())
	clock := func() time.Time { return time.Unix(now.Load(), 0).UTC() }
	src := newSource(entry("acme", "chat"), entry("globex", "chat"))
	dir := auth.NewDirectory(src, clock)
	v := auth.NewDevices(dir, clock)
	text := token{claims: map[string]any{"device": "phone-1", "tags": []string{"beta"}}}.text(t)

	first, err := connect(t, v, "acme/chat", text)
	if err != nil {
		t.Fatal(err)
	}
	second, err := connect(t, v, "acme/chat", text)
	if err != nil {
		t.Fatal(err)
	}
	if !second.Same(&first.Identity) || second.Device != "phone-1" || len(second.Tags) != 1 || !second.Expires.Equal(first.Expires) {
		t.Errorf("first %+v, then %+v", first.Identity, second.Identity)
	}
	_, err = v.Authenticate(t.Context(), auth.Credentials{ClientID: "phone-2", Username: "acme/chat", Password: []byte(text)})
	wantFault(t, err, fault.Unauthenticated, "")
	_, err = connect(t, v, "globex/chat", text)
	wantFault(t, err, fault.Unauthenticated, "")
	_, err = connect(t, v, "acme/chat", text[:len(text)-2]+"AA")
	wantFault(t, err, fault.Unauthenticated, "")

	now.Add(int64(time.Hour/time.Second) + 60)
	_, err = connect(t, v, "acme/chat", text)
	wantFault(t, err, fault.TokenExpired, "")
	now.Store(noon.Unix())

	e := entry("acme", "chat")
	e.SigningKeys[0].Secret = strings.Repeat("x", len(e.SigningKeys[0].Secret))
	src.set(e)
	dir.Invalidate("acme", "chat")
	if _, err = connect(t, v, "acme/chat", text); err == nil || !strings.Contains(err.Error(), "signature") {
		t.Errorf("with another secret: %v", err)
	}
	e.SigningKeys = nil
	src.set(e)
	dir.Invalidate("acme", "chat")
	_, err = connect(t, v, "acme/chat", text)
	wantFault(t, err, fault.Unauthenticated, "")
	if !second.Revoked() {
		t.Error("the key is gone, and the device has not been told")
	}
}

// BenchmarkToken is the authentication of a token.
func BenchmarkToken(b *testing.B) {
	v, _ := newDevices(b)
	text := token{}.text(b)
	for b.Loop() {
		if _, err := connect(b, v, "acme/chat", text); err != nil {
			b.Fatal(err)
		}
	}
}
