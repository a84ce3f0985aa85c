package serve

import (
	"context"
	"log/slog"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/egress"
	"github.com/fanfare-mq/fanfare/keyset"
)

// openKeySets keeps the keys fresh that apps' issuers publish.
func (p *process) openKeySets(context.Context) (closer, error) {
	client := egress.New(egress.Config{Private: p.cfg.EgressPrivate == "allow"})
	p.keySets = keyset.New(keyset.Config{Store: p.store, Client: client, Changed: p.appChanged, Logger: p.log})
	p.devices.UseRefresher(p.keySets)
	p.devices.NoteUses(p.usage)
	stop := p.background("key sets", p.keySets.Run)
	return func(ctx context.Context) error {
		defer client.Close()
		return stop(ctx)
	}, nil
}

// appChanged makes this node forget what it knows of an app and tells the
// others to.
func (p *process) appChanged(ctx context.Context, org, app string) {
	p.directory.Invalidate(org, app)
	if err := p.bus.Announce(api.AppChanged, []byte(org+"/"+app)); err != nil {
		p.log.WarnContext(ctx, "a change could not be announced",
			slog.String("organization", org), slog.String("app", app), slog.Any("error", err))
	}
}
