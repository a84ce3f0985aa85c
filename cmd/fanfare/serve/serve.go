// Package serve runs one Fanfare process: it opens its parts in order, waits,
// and closes them in reverse.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/estate"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
	"github.com/fanfare-mq/fanfare/keyset"
	"github.com/fanfare-mq/fanfare/meter"
	"github.com/fanfare-mq/fanfare/tally"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// stopTimeout bounds a clean stop. Supervisors commonly kill after 30 s, and
// 10 s by container runtimes; requests and output under way need far less.
const stopTimeout = 9500 * time.Millisecond

// Of the stop, these are kept for single parts, however long those before them
// take; what they do not need is for who comes later. Together they are the stop.
const (
	sliceOfFolder       = 100 * time.Millisecond
	sliceOfDatabase     = 700 * time.Millisecond // the last transaction, the write-ahead log
	sliceOfUsage        = 300 * time.Millisecond // one more transaction
	sliceOfAbove        = 300 * time.Millisecond // likewise
	sliceOfKeySets      = 100 * time.Millisecond
	sliceOfLog          = 1400 * time.Millisecond // the log's last answers
	sliceOfClaims       = 500 * time.Millisecond  // what the last connections gave back
	sliceOfMeter        = 100 * time.Millisecond  // what this node has said is taken back
	sliceOfEstate       = 100 * time.Millisecond
	sliceOfMQTT         = 2 * time.Second // output under way
	sliceOfHousekeeping = 100 * time.Millisecond
	sliceOfHTTP         = httpGrace + 100*time.Millisecond
	sliceOfMetrics      = 400 * time.Millisecond
)

// Options are what a process takes besides its configuration.
type Options struct {
	Logger  *slog.Logger
	Version string
	// Grace is how long what was deleted rests before it is erased; 0 means
	// housekeeping.DefaultGrace.
	Grace time.Duration
	// Ready is called once, when everything accepts work.
	Ready func(Addresses)
}

// process is one running server. Its fields are written by the parts that open
// them, one after the other, and only read after that.
type process struct {
	cfg     config.Config
	log     *slog.Logger
	version string
	grace   time.Duration

	sealer    *tenant.Sealer
	operator  *auth.OperatorKey
	store     *store.Store
	bus       *jetstream.Bus
	directory *auth.Directory
	// organizations are an app of each that the log has asked for, by slug.
	organizations sync.Map
	devices       *auth.Devices
	usage         *auth.Usage
	above         *auth.Above // nil unless credentials may be above the wall
	keySets       *keyset.Keeper
	claims        edge.Claims
	meter         *meter.Meter
	estate        *estate.Estate
	tally         *tally.Tally
	edge          *edge.Edge // nil without its role
	addresses     Addresses
	serving       atomic.Bool // the API is there

	// failed takes the first error of a part that runs by itself.
	failed chan error
}

// part is one step of starting: the closer, if any, undoes it.
type part struct {
	name  string
	slice time.Duration // of the stop
	open  func(context.Context) (closer, error)
}

type closer func(context.Context) error

// parts lists what a process is made of. A part uses only those above it.
func (p *process) parts() []part {
	return []part{
		{"data folder", sliceOfFolder, p.openFolder},
		{"master key", 0, p.openKey},
		{"database", sliceOfDatabase, p.openStore},
		{"message log", sliceOfLog, p.openBus},
		{"directory of apps", 0, p.openDirectory},
		{"last uses of credentials", sliceOfUsage, p.openUsage},
		{"uses above the wall", sliceOfAbove, p.openAbove},
		{"key sets", sliceOfKeySets, p.openKeySets},
		{"connection claims", sliceOfClaims, p.openClaims},
		{"rates and counts", sliceOfMeter, p.openMeter},
		{"wills of dead nodes", sliceOfEstate, p.openEstate},
		{"MQTT", sliceOfMQTT, p.openEdge},
		{"housekeeping", sliceOfHousekeeping, p.openHousekeeping},
		{"HTTP", sliceOfHTTP, p.openHTTP},
		{"metrics", sliceOfMetrics, p.openMetrics},
	}
}

// Run starts a process, and returns when ctx has ended and everything has
// stopped, or when a part fails.
func Run(ctx context.Context, cfg config.Config, o Options) error {
	p := &process{
		cfg: cfg, version: o.Version, grace: o.Grace,
		log:    o.Logger.With(slog.String("node", cfg.Node)),
		failed: make(chan error, 1),
	}
	started, err := p.start(ctx)
	if err != nil {
		return errors.Join(err, started.stop(context.WithoutCancel(ctx)))
	}
	p.settle(ctx)
	p.log.Info("ready", slog.String("version", o.Version), slog.Any("urls", p.addresses))
	if o.Ready != nil {
		o.Ready(p.addresses)
	}
	select {
	case <-ctx.Done():
	case err = <-p.failed:
	}
	p.log.Info("stopping")
	return errors.Join(err, started.stop(context.WithoutCancel(ctx)))
}

// start opens all parts, and returns those that it opened, also with an error.
func (p *process) start(ctx context.Context) (started running, err error) {
	for _, part := range p.parts() {
		c, err := part.open(ctx)
		if err != nil {
			if setting, ok := errors.AsType[*config.Error](err); ok {
				return started, setting // it says what is wrong, and where
			}
			return started, fmt.Errorf("%s: %w", part.name, err)
		}
		if c != nil {
			started = append(started, opened{part, c})
		}
	}
	return started, nil
}

// opened is a part and what undoes it.
type opened struct {
	part
	close closer
}

// running are the parts that are open, in the order of their opening.
type running []opened

// stop closes the parts in reverse. Each has at least its own slice.
func (r running) stop(ctx context.Context) error {
	end := time.Now().Add(stopTimeout)
	var reserved time.Duration // for the parts below
	for _, part := range r {
		reserved += part.slice
	}
	var errs []error
	for _, part := range slices.Backward(r) {
		reserved -= part.slice
		ctx, cancel := context.WithDeadline(ctx, end.Add(-reserved))
		if err := within(ctx, part.close); err != nil {
			errs = append(errs, fmt.Errorf("%s did not stop cleanly: %w", part.name, err))
		}
		cancel()
	}
	return errors.Join(errs...)
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
