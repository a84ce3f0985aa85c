package auth_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

func operatorKey(t *testing.T, fill byte) *auth.OperatorKey {
	t.Helper()
	key, err := auth.NewOperatorKey(bytes.Repeat([]byte{fill}, tenant.MasterKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestOperatorTokens(t *testing.T) {
	key, noon := operatorKey(t, 7), atNoon()
	token := key.Token(noon)
	if token == key.Token(noon) {
		t.Error("two tokens are the same")
	}
	for after, want := range map[time.Duration]bool{
		-31 * time.Second: false, -30 * time.Second: true, 0: true, 90 * time.Second: true, 91 * time.Second: false, 24 * time.Hour: false,
	} {
		if got := key.Check(token, noon.Add(after)); got != want {
			t.Errorf("%s later it counts: %t", after, got)
		}
	}
	if operatorKey(t, 8).Check(token, noon) {
		t.Error("another master key's token counts")
	}
}

// TestOperatorTokensAreWhole: no character of a token can be another one.
func TestOperatorTokensAreWhole(t *testing.T) {
	key, noon := operatorKey(t, 7), atNoon()
	token := key.Token(noon)
	for i := range token {
		other := byte('A')
		if token[i] == other {
			other = 'B'
		}
		if key.Check(token[:i]+string(other)+token[i+1:], noon) {
			t.Errorf("changed at %d it counts", i)
		}
		if key.Check(token[:i], noon) {
			t.Errorf("cut at %d it counts", i)
		}
	}
	for _, bad := range []string{token + "A", token + "=", " " + token, "ffs_" + token[4:], strings.Repeat("A", len(token))} {
		if key.Check(bad, noon) {
			t.Errorf("%q counts", bad)
		}
	}
}

func TestTheOperatorCalls(t *testing.T) {
	callers, _, src, _, session := newCallers(atNoon)
	key := operatorKey(t, 7)
	token := key.Token(atNoon())
	_, err := callers.Authenticate(t.Context(), token, netip.Addr{})
	wantFault(t, err, fault.Unauthenticated) // nobody is the operator unless it is said

	callers.WithOperator(key, "ops")
	c, err := callers.Authenticate(t.Context(), token, netip.Addr{})
	if err != nil || !c.Operator || c.Organization != "" || c.Member != nil || c.Key != nil {
		t.Errorf("the operator is %+v, %v", c, err)
	}
	_, err = callers.Authenticate(t.Context(), operatorKey(t, 8).Token(atNoon()), netip.Addr{})
	wantFault(t, err, fault.Unauthenticated)

	if c, err := callers.Authenticate(t.Context(), session, netip.Addr{}); err != nil || c.Operator {
		t.Errorf("a member of acme is %+v, %v", c, err)
	}
	callers.WithOperator(key, "acme")
	if c, err := callers.Authenticate(t.Context(), session, netip.Addr{}); err != nil || !c.Operator || c.Member == nil {
		t.Errorf("a member of the operator's organization is %+v, %v", c, err)
	}
	src.fail(errAway)
	if _, err := callers.Authenticate(t.Context(), token, netip.Addr{}); err != nil {
		t.Errorf("the operator is refused while the source is away: %v", err)
	}
}
