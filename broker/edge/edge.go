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

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// Bus carries messages and control announcements between nodes.
type Bus interface {
	// Publish accepts m or returns broker.ErrOverloaded; ack learns the rest.
	Publish(m *broker.Message, ack broker.Acknowledger, tag uint64) error
	// AddInterest makes other nodes' messages for filter arrive here; ready
	// is called once they are sure to.
	AddInterest(filter string, ready func(error))
	RemoveInterest(filter string)
	Announce(subject string, data []byte) error
	OnAnnounce(subject string, fn func(data []byte)) error
}

// Authenticator tells who a device is from what it presents at CONNECT.
type Authenticator interface {
	Authenticate(ctx context.Context, c auth.Credentials) (*auth.Device, error)
}

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
	// MaxPacket is the largest MQTT packet accepted, in bytes of its body.
	MaxPacket int
	// Loops is the number of event loops; 0 means one per usable core.
	Loops int
	// Logger receives connection events; nil discards them.
	Logger *slog.Logger
}

// Deps are the parts of the node that an edge works with.
type Deps struct {
	Bus     Bus
	Devices Authenticator
}

// Edge is one node's MQTT side. It is a broker.Receiver.
type Edge struct {
	cfg       Config
	deps      Deps
	log       *slog.Logger
	loops     []*loop
	listeners []*listener
	subs      subscriptions
	owners    owners
	stats     *stats
	admission *admission
	accepting atomic.Bool   // listeners are up and not draining
	next      atomic.Uint64 // round robin over loops
	handshake sync.WaitGroup
	ctx       context.Context //nolint:containedctx // lifetime of Run, handed to authentications that outlive an event
}

var _ broker.Receiver = (*Edge)(nil)

// shutdownGrace bounds how long a stopping edge waits for queued output.
const shutdownGrace = 3 * time.Second

// New checks the configuration; it opens nothing.
func New(cfg Config, deps Deps) (*Edge, error) {
	if deps.Bus == nil || deps.Devices == nil {
		return nil, errors.New("edge: bus and devices are required")
	}
	if (cfg.TLS != "" || cfg.WSS != "") && (cfg.CertFile == "" || cfg.KeyFile == "") {
		return nil, errors.New("edge: TLS listeners need a certificate and a key")
	}
	cfg = withDefaults(cfg)
	e := &Edge{cfg: cfg, deps: deps, log: cfg.Logger, stats: newStats(), ctx: context.Background()}
	e.owners.byKey = make(map[string]owner)
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
	if cfg.MaxPacket == 0 {
		// Room for the topic and the packet's header beside a full payload.
		cfg.MaxPacket = broker.MaxMessageBytes + 4<<10
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
	if err := e.deps.Bus.OnAnnounce(claimSubject, e.claimed); err != nil {
		return err
	}
	loopCtx, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	e.ctx = loopCtx
	var loops, listeners sync.WaitGroup
	for _, l := range e.loops {
		loops.Go(func() { l.run(loopCtx) })
	}
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

// drain closes every connection and waits until their last bytes are out or
// the grace is over.
func (e *Edge) drain() {
	grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	for _, l := range e.loops {
		done := make(chan struct{})
		l.post(event{kind: evDo, do: func(now time.Time) { l.shutdown(now, done) }})
		select {
		case <-done:
		case <-grace.Done():
		}
	}
}

// Ready reports whether every configured listener accepts connections.
func (e *Edge) Ready() bool { return e.accepting.Load() }

// adopt gives a new transport to a loop. It is called from listeners.
func (e *Edge) adopt(t *transport) {
	l := e.loops[e.next.Add(1)%uint64(len(e.loops))]
	c := newConn(l, t)
	t.conn = c
	l.post(event{kind: evOpened, conn: c})
}
