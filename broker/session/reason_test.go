package session_test

import (
	"regexp"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/session"
)

// TestReasons holds the registry to what its users rely on.
func TestReasons(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, r := range session.Reasons() {
		if !snake.MatchString(r.Name) || seen[r.Name] || r.Text == "" {
			t.Errorf("%+v", r)
		}
		seen[r.Name] = true
	}
}
