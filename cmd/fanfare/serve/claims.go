package serve

import (
	"context"

	"github.com/fanfare-mq/fanfare/broker/presence"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

// openClaims chooses where claims of sessions are kept. Redis may be away, now
// and later: nothing waits for it.
func (p *process) openClaims(context.Context) (closer, error) {
	if !p.cfg.Clustered() {
		p.claims = presence.NewMemory()
		return nil, nil
	}
	broadcast, err := presence.NewBroadcast(p.bus, p.log)
	if err != nil {
		return nil, err
	}
	if p.cfg.RedisURL == "" {
		p.claims = broadcast
		return nil, nil
	}
	redis, err := presence.NewRedis(presence.Config{URL: p.cfg.RedisURL, Logger: p.log})
	if err != nil {
		return nil, config.Wrong("RedisURL", "cannot be read; it takes: redis://user:password@host:6379/0")
	}
	fallback := presence.NewFallback(redis, broadcast)
	p.claims = fallback
	return p.background("connection claims", fallback.Run), nil
}
