package serve

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
	"github.com/fanfare-mq/fanfare/housekeeping"
)

// openHousekeeping looks at what organizations do; and with the role of a worker
// it erases what was deleted, and prunes the audit log.
func (p *process) openHousekeeping(ctx context.Context) (closer, error) {
	if err := p.openTally(); err != nil {
		return nil, err
	}
	looking := p.background("tally", p.look)
	if !p.cfg.Has(config.Worker) {
		return looking, nil
	}
	w, err := housekeeping.New(housekeeping.Config{
		Grace:    p.grace,
		AuditFor: time.Duration(p.cfg.AuditDays) * 24 * time.Hour, Changed: p.changed, Logger: p.log,
	}, p.store, p.bus)
	if err != nil {
		return nil, errors.Join(err, looking(ctx))
	}
	return all(looking, p.background("housekeeping", w.Run)), nil
}

// changed tells all nodes that an app, or an organization, is another.
func (p *process) changed(_ context.Context, org, app string) {
	subject := org
	if app != "" {
		subject += "/" + app
	}
	if err := p.bus.Announce(api.AppChanged, []byte(subject)); err != nil {
		p.log.Warn("a change could not be announced", slog.String("organization", org), slog.String("app", app), slog.Any("error", err))
	}
}
