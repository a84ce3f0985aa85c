package serve

import (
	"context"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
	"github.com/fanfare-mq/fanfare/meter"
)

// openMeter shares rates and counts of tenants with the other nodes through
// Redis. It may be away, now and later: each node has the whole rates then.
func (p *process) openMeter(context.Context) (closer, error) {
	cfg := meter.Config{Logger: p.log}
	if p.cfg.Clustered() {
		cfg.URL = p.cfg.RedisURL
	}
	m, err := meter.New(cfg)
	if err != nil {
		return nil, config.Wrong("RedisURL", "cannot be read; it takes: redis://user:password@host:6379/0")
	}
	p.meter = m
	return p.background("rates and counts", m.Run), nil
}
