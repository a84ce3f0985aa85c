// Package serve runs one Fanfare process: it opens its parts in order, waits,
// and closes them in reverse.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// stopTimeout bounds a clean stop. Supervisors commonly kill after 30 s, and
// 10 s by container runtimes; requests and output under way need far less.
const stopTimeout = 9 * time.Second

// Options are what a process takes besides its configuration.
type Options struct {
	Logger  *slog.Logger
	Version string
	// Ready is called once, when everything accepts work.
	Ready func(Addresses)
}

// process is one running server. Its fields are written by the parts that open
// them, one after the other, and only read after that.
type process struct {
	cfg     config.Config
	log     *slog.Logger
	version string

	sealer    *tenant.Sealer
	store     *store.Store
	bus       *jetstream.Bus
	directory *auth.Directory
	edge      *edge.Edge // nil without its role
	addresses Addresses

	// failed takes the first error of a part that runs by itself.
	failed chan error
}

// part is one step of starting: close, if any, undoes it.
type part struct {
	name string
	open func(context.Context) (closer, error)
}

type closer func(context.Context) error

// parts lists what a process is made of. A part uses only those above it.
func (p *process) parts() []part {
	return []part{
		{"data folder", p.openFolder},
		{"master key", p.openKey},
		{"database", p.openStore},
		{"message log", p.openBus},
		{"directory of apps", p.openDirectory},
		{"MQTT", p.openEdge},
		{"HTTP", p.openHTTP},
		{"metrics", p.openMetrics},
	}
}

// Run starts a process, and returns when ctx has ended and everything has
// stopped, or when a part fails.
func Run(ctx context.Context, cfg config.Config, o Options) error {
	p := &process{
		cfg: cfg, version: o.Version,
		log:    o.Logger.With(slog.String("node", cfg.Node)),
		failed: make(chan error, 1),
	}
	stop, err := p.start(ctx)
	if err == nil {
		p.log.Info("ready", slog.String("version", o.Version), slog.Any("addresses", p.addresses))
		if o.Ready != nil {
			o.Ready(p.addresses)
		}
		select {
		case <-ctx.Done():
		case err = <-p.failed:
		}
	}
	p.log.Info("stopping")
	return errors.Join(err, stop(context.WithoutCancel(ctx)))
}

// start opens all parts. stop closes what was opened, also after an error.
func (p *process) start(ctx context.Context) (stop closer, err error) {
	var opened []part
	var closers []closer
	stop = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, stopTimeout)
		defer cancel()
		var errs []error
		for i, c := range slices.Backward(closers) {
			if err := within(ctx, c); err != nil {
				errs = append(errs, fmt.Errorf("%s did not stop cleanly: %w", opened[i].name, err))
			}
		}
		return errors.Join(errs...)
	}
	for _, part := range p.parts() {
		c, err := part.open(ctx)
		if err != nil {
			return stop, fmt.Errorf("%s: %w", part.name, err)
		}
		if c != nil {
			opened, closers = append(opened, part), append(closers, c)
		}
	}
	return stop, nil
}

// within closes a part, or gives up when ctx ends.
func within(ctx context.Context, c closer) error {
	done := make(chan error, 1)
	go func() { done <- c(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fail ends the process because a part that runs by itself has ended.
func (p *process) fail(name string, err error) {
	select {
	case p.failed <- fmt.Errorf("%s: %w", name, err):
	default: // the first failure is being handled
	}
}
