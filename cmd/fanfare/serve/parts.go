package serve

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

func (p *process) openStore(ctx context.Context) (closer, error) {
	c := store.Config{PostgresURL: p.cfg.PostgresURL, Sealer: p.sealer}
	if c.PostgresURL == "" {
		c.Path = filepath.Join(p.cfg.Data, databaseFile)
		if p.cfg.Clustered() {
			// Two databases would give one organization to two owners.
			p.log.Warn("the message log is shared and the database is not: no other process may use this NATS; set FANFARE_POSTGRES_URL to form a cluster")
		}
	}
	s, err := store.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	p.store = s
	return func(context.Context) error { return s.Close() }, nil
}

func (p *process) openBus(ctx context.Context) (closer, error) {
	bus, err := jetstream.Open(ctx, jetstream.Config{
		Node:       p.cfg.Node,
		Dir:        filepath.Join(p.cfg.Data, logFolder),
		URL:        p.cfg.NATSURL,
		Creds:      p.cfg.NATSCreds,
		Replicas:   p.cfg.Replicas,
		Shards:     p.cfg.LogShards,
		SyncAlways: p.cfg.Sync == "always",
		MaxBytes:   p.cfg.LogBytes,
		Retention:  p.retention(),
		Log:        p.logLimits,
		Retained:   p.retainedLimits,
		Logger:     p.log,

		Organization: p.organizationLimits,
	})
	if err != nil {
		return nil, p.busFault(err)
	}
	p.bus = bus
	return func(context.Context) error { return bus.Close() }, nil
}

// retainedPatience bounds the wait for an app that is not known yet: it is the
// publisher's loop that waits.
const retainedPatience = 100 * time.Millisecond

// retention is the longest that the log keeps a message.
func (p *process) retention() time.Duration {
	return time.Duration(p.cfg.RetentionDays) * 24 * time.Hour
}

// logLimits is how long the log keeps an app's messages and how many bytes it
// may hold of them.
func (p *process) logLimits(org, app string) (retention time.Duration, bytes int64) {
	known, _ := p.app(org, app)
	return known.Retention, known.Settings.LogBytes
}

// retainedLimits is how many retained messages an app may have and how long
// they are kept. Second levels that are no app count like a new one.
func (p *process) retainedLimits(org, app string) (most int, expiry time.Duration) {
	known, _ := p.app(org, app)
	return known.Settings.MaxRetained, known.Settings.RetainedExpiry
}

// organizationLimits are those of all apps of an organization together.
func (p *process) organizationLimits(org, app string) (retained int, bytes int64) {
	_, limits := p.app(org, app)
	return int(limits.Retained), limits.LogBytes
}

// app is what is known of an app, with the retention that its messages have, and
// of its organization's limits, or a new one.
// The limits are those of any app of the organization: what is no app has to keep
// them too.
func (p *process) app(org, app string) (tenant.App, tenant.Limits) {
	if directory := p.directory; directory != nil {
		ctx, cancel := context.WithTimeout(context.Background(), retainedPatience)
		defer cancel()
		if known, err := directory.App(ctx, org, app); err == nil {
			p.organizations.Store(org, known)
			entry := known.Entry()
			found := entry.App
			found.Retention = entry.Retention()
			return found, entry.Limits
		}
	}
	unknown := tenant.App{Retention: min(api.DefaultRetention, p.retention()), Settings: tenant.DefaultSettings()}
	if known, ok := p.organizations.Load(org); ok {
		return unknown, known.(*auth.App).Entry().Limits //nolint:forcetypeassert,errcheck // it holds nothing else
	}
	return unknown, tenant.Limits{}
}

// openDirectory has this node hear of changes at once, and find those that it
// has not heard of: after trouble with NATS it looks at once.
func (p *process) openDirectory(context.Context) (closer, error) {
	p.directory = auth.NewDirectory(p.store, time.Now)
	p.devices = auth.NewDevices(p.directory, time.Now)
	if err := p.bus.OnAnnounce(api.PlanChanged, func(data []byte) { p.directory.InvalidatePlan(string(data)) }); err != nil {
		return nil, err
	}
	err := p.bus.OnAnnounce(api.AppChanged, func(data []byte) {
		org, subject, _ := strings.Cut(string(data), "/") // without a subject: the organization
		p.directory.Invalidate(org, subject)
	})
	if err != nil {
		return nil, err
	}
	watch := auth.NewWatch(p.directory, p.store, time.Now)
	p.bus.OnDoubt(func(string) { watch.Hurry() })
	return p.background("directory of apps", watch.Run), nil
}

func (p *process) openEdge(ctx context.Context) (closer, error) {
	if !p.cfg.Has(config.Edge) {
		return nil, nil
	}
	limits := session.DefaultLimits()
	limits.MaxKeepAlive = uint16(p.cfg.KeepAlive) //nolint:gosec // checked to be at most 65,535
	deps := edge.Deps{
		Bus: p.bus, Claims: p.claims, Estate: p.estate, Meter: p.meter, RetainedCount: func() int { return p.bus.Stats().Retained },
		Devices: auth.NewGuard(p.devices, time.Now), Changes: p.directory.Changes,
	}
	if p.above != nil {
		deps.Above = p.above
	}
	e, err := edge.New(edge.Config{
		Limits: limits,
		Node:   p.cfg.Node,
		TCP:    p.cfg.MQTTAddr, TLS: p.cfg.MQTTSAddr, WS: p.cfg.WSAddr, WSS: p.cfg.WSSAddr,
		CertFile: p.cfg.TLSCert, KeyFile: p.cfg.TLSKey,
		ProxyFrom:   p.cfg.Proxies,
		Admission:   p.admission(),
		OperatorOrg: p.cfg.OperatorOrg, Version: p.version, DrainTo: p.cfg.DrainTo,
		Logger: p.log,
	}, deps)
	if err != nil {
		return nil, err
	}
	if err := e.Listen(ctx); err != nil {
		return nil, err
	}
	p.edge = e
	p.bus.Attach(e)
	p.note(e.Addrs())
	return p.background("MQTT", e.Run), nil
}

// note keeps the edge's addresses, with the ports that it was given.
func (p *process) note(addrs []edge.Address) {
	for _, a := range addrs {
		switch a.Kind {
		case edge.TCP:
			p.addresses.MQTT = a.Addr.String()
		case edge.TLS:
			p.addresses.MQTTS = a.Addr.String()
		case edge.WS:
			p.addresses.WS = a.Addr.String()
		case edge.WSS:
			p.addresses.WSS = a.Addr.String()
		}
	}
}

// openUsage keeps when credentials were last used, also of the last requests
// and connects.
func (p *process) openUsage(context.Context) (closer, error) {
	p.usage = auth.NewUsage(p.store, p.log)
	return p.background("last uses of credentials", p.usage.Run), nil
}

// openAbove lets marked credentials of the operator's organization reach others.
func (p *process) openAbove(context.Context) (closer, error) {
	if p.cfg.OperatorAcross != "on" {
		return nil, nil
	}
	p.above = auth.NewAbove(p.store, p.cfg.OperatorOrg, p.log, time.Now)
	p.log.Warn("credentials may be above the wall", slog.String("organization", p.cfg.OperatorOrg))
	err := p.bus.OnAnnounce(api.AppChanged, func(data []byte) {
		if org, _, ofApp := strings.Cut(string(data), "/"); !ofApp {
			p.above.Invalidate(org)
		}
	})
	if err != nil {
		return nil, err
	}
	return p.background("uses above the wall", p.above.Run), nil
}

// background runs something until its closer is called, and fails the process
// if it ends before that.
func (p *process) background(name string, run func(context.Context) error) closer {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		err := run(ctx)
		if ctx.Err() == nil {
			p.fail(name, err)
		}
		done <- err
	}()
	return func(ctx context.Context) error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
