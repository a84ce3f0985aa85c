package cli_test

import (
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// quotaExceeded is MQTT 5.0's reason code.
const quotaExceeded = 0x97

// TestPlanIsFelt: a plan is changed at one node; on the other the organizations
// that have it feel it, and nobody else.
func TestPlanIsFelt(t *testing.T) {
	t.Parallel()
	args, redis := clustered(t), testenv.Redis(t)
	one, two := serve(t, append(args("one"), "--redis-url", redis)...), serve(t, append(args("two"), "--redis-url", redis)...)
	acme, globex := found(t, one, "acme").at(two), found(t, one, "globex").at(two)
	one.operate(t, "plan", "set", "pro", "connections=9")
	one.operate(t, "plan", "give", "acme", "--plan", "pro")
	older, _ := acme.dial5(t, "ana-1")
	newest, _ := acme.dial5(t, "ana-2")
	other, _ := globex.dial5(t, "ana-1")

	one.operate(t, "plan", "set", "pro", "connections=1", "api_rate=1")
	began := time.Now()
	select {
	case reason := <-newest.parted:
		if reason != quotaExceeded {
			t.Errorf("DISCONNECT %#x", reason)
		}
	case <-time.After(felt):
		t.Fatal("the newest connection stands")
	}
	testenv.Eventually(t, felt, "the key is slowed", func() bool { return acme.refused(t, "too_many_requests") })
	t.Logf("felt after %s", time.Since(began))
	for name, reason := range map[string]chan byte{"the older connection": older.parted, "another organization's": other.parted} {
		select {
		case code := <-reason:
			t.Errorf("%s: DISCONNECT %#x", name, code)
		default:
		}
	}
	if globex.refused(t, "too_many_requests") {
		t.Error("another organization is slowed")
	}
	one.operate(t, "plan", "set", "pro", "connections=0", "api_rate=0")
	testenv.Eventually(t, felt, "the plan limits nothing", func() bool {
		_, reason := acme.dial5(t, "ana-3")
		return reason == 0 && !acme.refused(t, "too_many_requests")
	})
}
