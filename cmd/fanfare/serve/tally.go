package serve

import (
	"context"
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/tally"
)

// tallyReport is the subject on which nodes tell which organizations do the most
// on them.
const tallyReport = "tally.report"

// openTally makes this node's tally hear what all nodes say.
func (p *process) openTally() error {
	p.tally = tally.New(p.cfg.Node)
	return p.bus.OnAnnounce(tallyReport, func(data []byte) {
		if err := p.tally.Hear(data, time.Now()); err != nil {
			p.log.Warn("what a node says of its organizations cannot be read", slog.Any("error", err))
		}
	})
}

// look has the tally look at what organizations have done here, until ctx ends.
func (p *process) look(ctx context.Context) error {
	tick := time.NewTicker(tally.Interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		said, err := p.tally.Look(p.totals())
		if err == nil {
			err = p.bus.Announce(tallyReport, said)
		}
		if err != nil {
			p.log.Debug("the noisiest organizations could not be told", slog.Any("error", err))
		}
	}
}

// totals are what organizations' devices have done on this node.
func (p *process) totals() []tally.Totals {
	if p.edge == nil {
		return nil
	}
	used := p.edge.Usage()
	all := make([]tally.Totals, len(used))
	for i, u := range used {
		all[i].Organization, all[i].Connections = u.Organization, u.Connections
		counts := &all[i].Counts
		counts[tally.MessagesIn], counts[tally.BytesIn] = u.MessagesIn, u.BytesIn
		counts[tally.MessagesOut], counts[tally.BytesOut] = u.MessagesOut, u.BytesOut
		counts[tally.Limited] = u.Limited
	}
	return all
}
