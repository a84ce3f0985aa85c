// Package edge is where the sockets are: listeners, event loops, connections,
// timers and the fan-out to this node's subscribers. The protocol itself is in
// broker/session; an edge feeds it bytes and carries out its effects.
//
// One loop runs per core. A connection belongs to one loop for life and its
// session is touched by that loop alone, so the hot path takes no lock but the
// subscription tree's. Everything else reaches a session through its loop's
// mailbox.
package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/presence"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/meter"
)

// Config says where an edge listens and how much it admits.
type Config struct {
	// Node is this node's name, unique in the cluster.
	Node string
	// TCP, TLS, WS and WSS are listen addresses; an empty one is off.
	TCP, TLS, WS, WSS string
	// CertFile and KeyFile are PEM files, read again when they change.
	CertFile, KeyFile string
	// CertRecheck is how often those are looked at, at most; 0 means 10 s.
	CertRecheck time.Duration
	// ProxyFrom are the networks of load balancers that begin every connection
	// with a PROXY protocol header, of version 1 or 2, on all listeners.
	ProxyFrom []netip.Prefix
	// Admission bounds connections before they are accepted; its zero fields
	// mean DefaultAdmission.
	Admission Admission
	// Limits are the session's; the zero value means session.DefaultLimits.
	Limits session.Limits
	// DrainTo is the server reference that 5.0 clients get when the edge stops;
	// empty: none, and where there are other nodes any of them.
	DrainTo string
	// OperatorOrg is the organization that may read $SYS; empty: none.
	OperatorOrg string
	// Version is the server's, for $SYS.
	Version string
	// SysInterval is the period of $SYS; 0 means 10 seconds.
	SysInterval time.Duration
	// ProbeInterval is how often sessions ask the log whether live messages were
	// lost on their way from other nodes; 0 means 30 seconds. A lost message is
	// delivered within one and a half of it.
	ProbeInterval time.Duration
	// MaxGroups is how many share groups an app may have on this node, those
	// included that were left and have not expired; 0 means 1,000.
	MaxGroups int
	// Loops is the number of event loops; 0 means one per usable core.
	Loops int
	// Logger receives connection events; nil discards them.
	Logger *slog.Logger
}

// Deps are the parts of the node that an edge works with.
type Deps struct {
	Bus     Bus
	Devices Authenticator
	Estate  Estate
	// Claims tell who holds a session; nil: this node is alone.
	Claims Claims
	// Meter holds the tenants' rates and counts, of all nodes; nil: this node is
	// alone.
	Meter *meter.Meter
	// Changes grows when what devices may do can have changed, so that those that
	// are connected are looked at; nil: that never happens.
	Changes func() uint64
	// Above serves super-clients, those of OperatorOrg; nil: there are none.
	Above Above
	// RetainedCount is the number of retained messages, for $SYS; nil: unknown.
	RetainedCount func() int
}

// Edge is one node's MQTT side. It is a broker.Receiver.
type Edge struct {
	cfg        Config
	deps       Deps
	log        *slog.Logger
	loops      []*loop
	listeners  []*listener
	subs       subscriptions
	owners     owners
	tenants    *tenants
	groupLimit groupLimit
	sys        sys
	doubted    chan struct{} // live messages may be missing
	stats      *stats
	admission  *admission
	accepting  atomic.Bool   // listeners are up and not draining
	cutOff     atomic.Bool   // the other nodes take this one for dead
	dead       chan struct{} // they have just said so
	next       atomic.Uint64 // round robin over loops
	turns      atomic.Int64  // connections that were counted for their app
	reviewed   uint64        // Changes at the last review; house's
	handshake  sync.WaitGroup
	ctx        context.Context //nolint:containedctx // lifetime of Run, handed to authentications that outlive an event
}

var _ broker.Receiver = (*Edge)(nil)

// maxGroups is more than services have, at 46 KB of the log's servers each.
const maxGroups = 1000

// shutdownGrace bounds how long a stopping edge waits for queued output, and for
// the records of its sessions.
const shutdownGrace = 4 * time.Second

// ackedAlone is how many acknowledgements a session collects where it learns
// of its progress at no cost.
const ackedAlone = 64

// New checks the configuration; it opens nothing.
func New(cfg Config, deps Deps) (*Edge, error) {
	if deps.Bus == nil || deps.Devices == nil || deps.Estate == nil {
		return nil, errors.New("edge: bus, devices and estate are required")
	}
	if (cfg.TLS != "" || cfg.WSS != "") && (cfg.CertFile == "" || cfg.KeyFile == "") {
		return nil, errors.New("edge: TLS listeners need a certificate and a key")
	}
	cfg = withDefaults(cfg)
	if deps.Claims == nil {
		deps.Claims = presence.NewMemory()
	}
	if deps.Meter == nil {
		deps.Meter = meter.Local()
	}
	if deps.Bus.Alone() {
		cfg.Limits.MaxAcked = min(cfg.Limits.MaxAcked, ackedAlone)
	}
	e := &Edge{cfg: cfg, deps: deps, log: cfg.Logger, stats: newStats(), doubted: make(chan struct{}, 1), ctx: context.Background()}
	e.owners = owners{edge: e, put: make(chan struct{}, 1)}
	e.dead = make(chan struct{}, 1)
	e.tenants = newTenants(deps.Meter, cfg.Loops)
	e.groupLimit = groupLimit{most: cfg.MaxGroups, apps: make(map[string]map[groupKey]time.Time)}
	e.subs.groups = make(map[groupKey]*group)
	e.admission = newAdmission(cfg.Admission, e.stats.turnedAway, e.log)
	for i := range cfg.Loops {
		e.loops = append(e.loops, newLoop(e, i))
	}
	return e, nil
}

func withDefaults(cfg Config) Config {
	if cfg.Limits == (session.Limits{}) {
		cfg.Limits = session.DefaultLimits()
	}
	if cfg.SysInterval == 0 {
		cfg.SysInterval = sysInterval
	}
	if cfg.ProbeInterval == 0 {
		cfg.ProbeInterval = probeInterval
	}
	if cfg.MaxGroups == 0 {
		cfg.MaxGroups = maxGroups
	}
	if cfg.CertRecheck == 0 {
		cfg.CertRecheck = recheck
	}
	if cfg.Loops == 0 {
		cfg.Loops = runtime.GOMAXPROCS(0)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// Run serves the listeners that Listen opened until ctx ends, then closes
// every connection and returns when all its goroutines have ended.
func (e *Edge) Run(ctx context.Context) error {
	if err := e.listenToNodes(); err != nil {
		return err
	}
	loopCtx, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	e.ctx = loopCtx
	e.sys.started = time.Now() // a loop may be asked for it at once
	var loops, listeners sync.WaitGroup
	for _, l := range e.loops {
		loops.Go(func() { l.run(loopCtx) })
	}
	loops.Go(func() { e.house(loopCtx) })
	if !e.deps.Bus.Alone() {
		e.deps.Bus.OnDoubt(func(string) { e.doubt() })
		loops.Go(func() { e.askAround(loopCtx) })
	}
	loops.Go(func() { e.live(loopCtx) })
	e.accepting.Store(true)
	for _, l := range e.listeners {
		listeners.Go(func() { l.serve(loopCtx, e) })
	}
	<-ctx.Done()
	e.accepting.Store(false)
	for _, l := range e.listeners {
		l.close()
	}
	listeners.Wait()
	e.handshake.Wait()
	e.drain()
	stopLoops()
	loops.Wait()
	return nil
}

// listenToNodes begins the life of this node among the others.
func (e *Edge) listenToNodes() error {
	bus := e.deps.Bus
	if err := e.beInstance(bus.Instance()); err != nil {
		return err
	}
	bus.OnLost(e.lost)
	if err := bus.OnAnnounce(claimSubject, e.claimed); err != nil {
		return err
	}
	return bus.OnAnnounce(heldSubject, e.held)
}

// drain closes every connection and waits until their last bytes are out and
// their sessions put away, or the grace is over.
func (e *Edge) drain() {
	grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	ends := make([]chan struct{}, len(e.loops))
	for i, l := range e.loops { // all at once: a client that does not read holds up its own loop alone
		done := make(chan struct{})
		ends[i] = done
		l.post(event{kind: evDo, do: func(now time.Time) { l.shutdown(now, done) }})
	}
	for _, done := range ends {
		select {
		case <-done:
		case <-grace.Done():
		}
	}
	e.owners.flush(grace)
}

// Ready reports whether every configured listener accepts connections.
func (e *Edge) Ready() bool { return e.accepting.Load() && !e.cutOff.Load() }

// adopt gives a new transport to a loop. It is called from listeners.
func (e *Edge) adopt(t *transport) {
	l := e.loops[e.next.Add(1)%uint64(len(e.loops))]
	c := newConn(l, t)
	t.conn = c
	l.post(event{kind: evOpened, conn: c})
}
