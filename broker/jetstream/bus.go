package jetstream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

var errClosed = fault.New(fault.Unavailable, "the node is shutting down")

// Bus carries messages between this node, the log and the other nodes. It is
// safe for concurrent use.
type Bus struct {
	cfg        Config
	upstream   upstream
	trunk      *nats.Conn
	side       *nats.Conn
	drawer     *nats.Conn          // of the store and of events
	js         jetstream.JetStream // over side
	claim      *claim              // nil when alone
	writer     string              // this process's first instance
	shards     int
	replicated bool // a replica that answers may be behind the leader
	batched    bool // appends go in atomic batches
	maxPayload int

	counters      counters
	ids           *ids
	appender      *appender
	previous      *previous
	usage         jetstream.KeyValue // the apps' bytes in the log
	disk          *disk              // of the embedded server; nil otherwise
	outbox        *outbox
	inlet         *inlet
	interests     *interests
	groups        *groups
	shares        *shares
	announcements announcements
	doubts        doubts
	requests      requests
	heads         []head // of the shards
	retainedHead  head
	keeper        *keeper
	quotas        *quotas
	readers       *pool // of probes
	getters       *pool // of messages by their sequences
	scanners      *pool
	sweeps        []*sweep     // of the shards
	places        atomic.Int64 // that the readings of all sweeps hold
	store         *store
	leaseholder   leaseholder
	spread        atomic.Int64 // shards that all live nodes have
	generations   generations
	events        chan broker.Event

	closed     atomic.Bool
	closing    sync.Once
	closeErr   error
	stopAppend context.CancelFunc // ends the appender's goroutines
	appending  sync.WaitGroup
	stopLive   context.CancelFunc // ends those of live traffic
	living     sync.WaitGroup
	stopKeep   context.CancelFunc // ends the writing of retained messages
	keeping    sync.WaitGroup
	readCtx    context.Context //nolint:containedctx // of questions, which callers leave behind
	stopRead   context.CancelFunc
	reading    sync.WaitGroup
	stopStore  context.CancelFunc // ends the store, events and the lease
	storing    sync.WaitGroup
}

// Open starts the embedded server or connects to NATS, takes the node's name,
// creates or updates the streams, and starts to work.
func Open(ctx context.Context, cfg Config) (*Bus, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	b := &Bus{cfg: cfg, upstream: upstream{cfg: cfg}, ids: newIDs(), writer: nuid.Next()}
	b.announcements.on = make(map[string][]func([]byte))
	if err := b.connect(ctx); err != nil {
		b.disconnect()
		return nil, err
	}
	b.start()
	return b, nil
}

// start lets the goroutines run. Those of live traffic outlive the appender's,
// which still has something to say to them.
func (b *Bus) start() {
	var appendCtx, liveCtx context.Context
	appendCtx, b.stopAppend = context.WithCancel(context.Background())
	liveCtx, b.stopLive = context.WithCancel(context.Background())
	b.startReading()
	var keepCtx context.Context
	keepCtx, b.stopKeep = context.WithCancel(context.Background())
	b.quotas = newQuotas(b.cfg)
	b.quotas.count = b.countRetained
	b.keeper = newKeeper(b.cfg.MaxPending)
	b.keeper.write, b.keeper.hold, b.keeper.finish = b.retain, b.late, b.keptOne
	for i := range b.keeper.lanes {
		b.keeping.Go(func() { b.keeper.run(keepCtx, &b.keeper.lanes[i]) })
	}
	b.inlet = newInlet(&b.counters, b.cfg.Logger)
	b.interests = newInterests(b.trunk, b.inlet.messages, b.cfg.Logger)
	b.groups = newGroups(b.side, b.inlet, &b.counters, b.cfg.Logger)
	b.shares = newShares(liveCtx, b)
	b.outbox = &outbox{letters: make(chan letter, outboxMessages), closed: liveCtx.Done(), conn: b.trunk, counters: &b.counters}
	b.previous = newPrevious(time.Now())
	b.appender = newAppender(b.cfg, b.shards, b.batched, &b.counters)
	b.appender.complete = b.complete
	b.appender.accounts = newAccounts(b.cfg)
	b.appender.dial = func(onClosed func()) (*nats.Conn, error) {
		return b.upstream.connect(b.upstream.servers(b.trunk), "log", nats.NoReconnect(),
			nats.ClosedHandler(func(*nats.Conn) { onClosed() }))
	}
	b.appending.Go(func() { b.appender.run(appendCtx) })
	b.appending.Go(func() { b.appender.watch(appendCtx) })
	if b.Alone() {
		b.disk = newDisk(b.cfg)
		b.disk.look()
		b.living.Go(func() { b.disk.run(liveCtx) })
	}
	b.startStore()
	if b.appender.accounts != nil {
		keeper := &books{accounts: b.appender.accounts, kv: b.usage, log: b.cfg.Logger}
		b.living.Go(func() { keeper.run(liveCtx) })
	}
	b.living.Go(b.outbox.run)
	b.living.Go(func() { b.inlet.run(liveCtx) })
	b.living.Go(func() { b.interests.run(liveCtx) })
	b.living.Go(func() { b.groups.run(liveCtx) })
	b.shares.start(&b.living)
	b.living.Go(func() { b.groups.receive(liveCtx) })
}

// startReading lets questions be worked off.
func (b *Bus) startReading() {
	b.readCtx, b.stopRead = context.WithCancel(context.Background())
	b.readers = newPool(b.side, readQueue, b.cfg.Logger)
	b.getters = newPool(b.side, readQueue, b.cfg.Logger)
	b.scanners = newPool(b.side, scanQueue, b.cfg.Logger)
	for range readers {
		b.reading.Go(func() { b.readers.work(b.readCtx) })
	}
	for range getters {
		b.reading.Go(func() { b.getters.work(b.readCtx) })
	}
	for range scanners {
		b.reading.Go(func() { b.scanners.work(b.readCtx) })
	}
	for shard := range b.shards {
		s := newSweep(b, shard)
		b.sweeps = append(b.sweeps, s)
		b.reading.Go(func() { s.run(b.readCtx) })
	}
}

// Attach connects this node's edge, the receiver of what its sessions may
// want. There is at most one.
func (b *Bus) Attach(r broker.Receiver) { b.inlet.receiver.Store(&r) }

// AddInterest makes other nodes' messages for filter arrive here. Every call
// counts and is taken back by one RemoveInterest. ready is called once they
// are sure to arrive, possibly before AddInterest returns, and must not block;
// an error tells that NATS does not answer, and the interest is kept.
func (b *Bus) AddInterest(filter string, ready func(error)) {
	if b.Alone() {
		ready(nil)
		return
	}
	b.interests.add(filter, ready)
}

// RemoveInterest takes one AddInterest back.
func (b *Bus) RemoveInterest(filter string) {
	if !b.Alone() {
		b.interests.remove(filter)
	}
}

// Shards is the number of the log's streams: 1 embedded; the same on all nodes.
func (b *Bus) Shards() int { return b.shards }

// Alone reports whether no other node can exist, because NATS is embedded.
func (b *Bus) Alone() bool { return b.upstream.server != nil }

// Ready fails unless messages can be appended: the connections stand,
// JetStream answers, and the node's name is still ours.
func (b *Bus) Ready(ctx context.Context) error {
	if b.closed.Load() {
		return errClosed
	}
	if !b.trunk.IsConnected() || !b.side.IsConnected() || !b.drawer.IsConnected() || !b.appender.linked.Load() {
		return broker.ErrUnavailable
	}
	if b.claim != nil {
		return b.claim.held(ctx)
	}
	js, err := jetstream.New(b.trunk)
	if err == nil {
		_, err = js.AccountInfo(ctx)
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, broker.ErrUnavailable.Message, err)
	}
	return nil
}
