package api_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

// silentLog answers nothing.
type silentLog struct{}

func (silentLog) PublishWait(ctx context.Context, _ *broker.Message) (broker.Position, error) {
	<-ctx.Done()
	return broker.Position{}, fault.Wrap(fault.Unavailable, broker.ErrUnavailable.Message, ctx.Err())
}

// TestSilentLog: nobody waits longer than ten seconds for a log that is away.
func TestSilentLog(t *testing.T) {
	s := newServer(t, func(_ *api.Config, d *api.Deps) { d.Publisher = silentLog{} })
	key := s.app(s.member("acme", "owner"), "chat")
	for path, body := range map[string]string{
		pushPath: `{"to":{"user":"a"},` + note + `}`,
		pubPath:  `{"topic":"acme/chat/x","payload":""}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			here := *s
			here.t = t
			start := time.Now()
			got := here.call("POST", path, key, body)
			got.problem(t, 503, "unavailable")
			if took := time.Since(start); took > 10*time.Second || took < 5*time.Second {
				t.Errorf("%s: answered after %v", path, took)
			}
			if said := detail(t, got); said != "the message log does not answer" || got.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %q, %v", path, said, got.Header)
			}
		})
	}
}
