package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

// LeasePeriod is how often an instance renews its lease.
const LeasePeriod = 2 * time.Second

// leaseVersion is that of an entry of the bucket.
const leaseVersion = 1

var errLease = errors.New("lease of an unknown version")

// leaseEntry is a lease as it is stored.
type leaseEntry struct {
	Version int    `json:"v"`
	Node    string `json:"node"`
	State   string `json:"state"`
	SinceMS int64  `json:"since_ms"`
	Shards  int    `json:"shards"`
	// By is the instance that wrote a state of another.
	By string `json:"by,omitempty"`
}

var leaseStates = map[broker.LeaseState]string{
	broker.LeaseAlive: "alive", broker.LeaseDead: "dead", broker.LeaseLeft: "left",
}

func leaseData(l *broker.Lease, by string) []byte {
	e := leaseEntry{Version: leaseVersion, Node: l.Node, State: leaseStates[l.State], SinceMS: l.Since.UnixMilli(), Shards: l.Shards}
	if by != l.Instance {
		e.By = by
	}
	data, _ := json.Marshal(e) // texts and numbers cannot fail
	return data
}

func parseLease(instance string, revision uint64, data []byte) (broker.Lease, error) {
	var e leaseEntry
	if err := json.Unmarshal(data, &e); err != nil {
		return broker.Lease{}, fmt.Errorf("damaged lease: %w", err)
	}
	l := broker.Lease{Instance: instance, Node: e.Node, Since: time.UnixMilli(e.SinceMS), Shards: e.Shards, Revision: revision}
	for state, text := range leaseStates {
		if e.Version == leaseVersion && text == e.State {
			l.State = state
			return l, nil
		}
	}
	return l, errLease
}

// leaseholder keeps this instance's lease.
type leaseholder struct {
	kv  jetstream.KeyValue
	log *slog.Logger

	mu      sync.Mutex // guards the fields below; nothing is asked under it
	lease   broker.Lease
	renewed time.Time // before the write of the lease that is known to be stored
	lost    bool
	onLost  func()

	// unread are the instances whose lease could not be read, which is told once:
	// leases are looked at every second.
	unread sync.Map
}

// take begins the life of an instance.
func (h *leaseholder) take(ctx context.Context, l broker.Lease) error {
	l.State, l.Since = broker.LeaseAlive, time.Now()
	began := l.Since
	var err error
	l.Revision, err = h.kv.Create(ctx, l.Instance, leaseData(&l, l.Instance))
	if isConflict(err) { // an attempt whose answer was lost
		var entry jetstream.KeyValueEntry
		if entry, err = h.kv.Get(ctx, l.Instance); err == nil {
			l.Revision = entry.Revision()
		}
	}
	if err != nil {
		return fmt.Errorf("jetstream: lease: %w", err)
	}
	h.mu.Lock()
	h.lease, h.renewed, h.lost = l, began, false
	h.mu.Unlock()
	return nil
}

// succeed declares all dead that were alive here.
func (h *leaseholder) succeed(ctx context.Context, heir string) error {
	keys, err := h.kv.Keys(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoKeysFound) {
		return fmt.Errorf("jetstream: leases: %w", err)
	}
	for _, instance := range keys {
		entry, err := h.kv.Get(ctx, instance)
		if err != nil {
			return fmt.Errorf("jetstream: lease of %s: %w", instance, err)
		}
		l, err := parseLease(instance, entry.Revision(), entry.Value())
		if err != nil {
			h.log.Error("a lease cannot be read and is left as it is", slog.String("instance", instance), slog.Any("error", err))
			continue
		}
		if l.State != broker.LeaseAlive || instance == heir {
			continue
		}
		l.State, l.Since = broker.LeaseDead, time.Now()
		if _, err := h.kv.Update(ctx, instance, leaseData(&l, heir), l.Revision); err != nil {
			return fmt.Errorf("jetstream: lease of %s: %w", instance, err)
		}
	}
	return nil
}

func (h *leaseholder) current() (l broker.Lease, lost bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lease, h.lost
}

// renew writes the lease anew, unless others have declared the instance dead.
func (h *leaseholder) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, LeasePeriod)
	defer cancel()
	l, lost := h.current()
	if lost {
		return nil
	}
	began := time.Now()
	revision, err := h.kv.Update(ctx, l.Instance, leaseData(&l, l.Instance), l.Revision)
	if isConflict(err) {
		began = time.Time{} // what is stored was written at some time before
		revision, err = h.look(ctx, &l)
	}
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lease.Instance != l.Instance {
		return nil
	}
	if h.lease.Revision = revision; !began.IsZero() {
		h.renewed = began
	}
	return nil
}

// look finds out who has written the lease: this instance, when the answer to
// an earlier renewal was lost, or somebody who takes it for dead.
func (h *leaseholder) look(ctx context.Context, l *broker.Lease) (revision uint64, err error) {
	entry, err := h.kv.Get(ctx, l.Instance)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		h.lose(l.Instance) // dead and buried
		return 0, nil
	case err != nil:
		return 0, err
	}
	now, err := parseLease(l.Instance, entry.Revision(), entry.Value())
	if err != nil {
		return 0, err
	}
	if now.State != broker.LeaseAlive {
		h.lose(l.Instance)
	}
	return now.Revision, nil
}

func (h *leaseholder) lose(instance string) {
	h.mu.Lock()
	if h.lost || h.lease.Instance != instance {
		h.mu.Unlock()
		return
	}
	h.lost = true
	fn := h.onLost
	h.mu.Unlock()
	h.log.Error("this instance was declared dead while it was cut off", slog.String("instance", instance))
	if fn != nil {
		fn()
	}
}

// leave says that the instance has put everything away.
func (h *leaseholder) leave(ctx context.Context) error {
	l, lost := h.current()
	if lost {
		return nil
	}
	l.State, l.Since = broker.LeaseLeft, time.Now()
	_, err := h.kv.Update(ctx, l.Instance, leaseData(&l, l.Instance), l.Revision)
	return err
}

// openLease begins this instance's life. Embedded, the lock on the store says
// that whoever had it before is dead.
func (b *Bus) openLease(ctx context.Context, js jetstream.JetStream) error {
	kv, err := openBucket(ctx, js, leasesBucket)
	if err != nil {
		return err
	}
	b.leaseholder.kv, b.leaseholder.log = kv, b.cfg.Logger
	if b.Alone() {
		if err := b.leaseholder.succeed(ctx, b.writer); err != nil {
			return err
		}
	}
	return b.leaseholder.take(ctx, broker.Lease{Instance: b.writer, Node: b.cfg.Node, Shards: b.shards})
}

// Instance names this start of this node: letters and digits, never the same
// again. It changes with Reborn alone.
func (b *Bus) Instance() string {
	l, _ := b.leaseholder.current()
	return l.Instance
}

// Renewed is when this instance's lease was last renewed, or earlier: who
// watches it has seen it stand still for no longer.
func (b *Bus) Renewed() time.Time {
	b.leaseholder.mu.Lock()
	defer b.leaseholder.mu.Unlock()
	return b.leaseholder.renewed
}

// OnLost has fn called, from any goroutine, when others have declared this
// instance dead: its sessions may be others' already, so that all connections
// must be closed before Reborn. It must not block. There is at most one.
func (b *Bus) OnLost(fn func()) {
	b.leaseholder.mu.Lock()
	b.leaseholder.onLost = fn
	lost := b.leaseholder.lost
	b.leaseholder.mu.Unlock()
	if lost {
		fn()
	}
}

// Reborn gives this process a new instance, after the last one was lost.
func (b *Bus) Reborn(ctx context.Context) (instance string, err error) {
	l, _ := b.leaseholder.current()
	l.Instance = nuid.Next()
	if err := b.leaseholder.take(ctx, l); err != nil {
		return "", fault.Wrap(fault.Unavailable, broker.ErrUnavailable.Message, err)
	}
	return l.Instance, nil
}

// Leases lists all instances that are alive, or gone and not buried, with the
// revisions of their entries: of any replica, so that a revision may be older
// than one that was told before. An entry that this program does not
// understand has no State. fn is called once, from any goroutine, and must not
// block.
func (b *Bus) Leases(fn func([]broker.Lease, error)) {
	ok := b.readers.offer("", func(ctx context.Context, a *asker) {
		if a == nil {
			fn(nil, errClosed)
			return
		}
		all, err := b.leases(ctx, a)
		if err != nil {
			all, err = nil, unavailable(err)
		}
		fn(all, err)
	})
	if !ok {
		fn(nil, b.refusal())
	}
}

// leases asks once: a lister that hears nothing must know it soon.
func (b *Bus) leases(ctx context.Context, a *asker) ([]broker.Lease, error) {
	prefix := bucketPrefix(leasesBucket)
	var all []broker.Lease
	ans, err := a.multiLast(ctx, bucketStream(leasesBucket), question{MultiLast: []string{prefix + ">"}}, func(seq uint64, m *nats.Msg) {
		s := readEntry(seq, m.Header, m.Data)
		if s.removed {
			return
		}
		instance := strings.TrimPrefix(m.Header.Get(headerSubject), prefix)
		l, err := parseLease(instance, seq, m.Data)
		if err != nil {
			if _, told := b.leaseholder.unread.LoadOrStore(instance, struct{}{}); !told {
				b.cfg.Logger.Error("a lease cannot be read", slog.String("instance", instance), slog.Any("error", err))
			}
		}
		all = append(all, l)
	})
	if err == nil && !ans.none && (!ans.whole || ans.pending > 0) {
		err = errAnswer
	}
	return all, err
}

// DeclareDead ends the life of an instance whose lease is still the one that
// was seen. fn is called once, from any goroutine, and must not block;
// broker.ErrConflict says that the lease was renewed, or that another was
// faster.
func (b *Bus) DeclareDead(seen broker.Lease, fn func(error)) {
	dead := seen
	dead.State, dead.Since = broker.LeaseDead, time.Now()
	b.writeLease(seen, leaseData(&dead, b.Instance()), fn)
}

// Bury removes the lease of an instance that is gone, when its wills and its
// sessions have been looked after. fn is called as DeclareDead's.
func (b *Bus) Bury(gone broker.Lease, fn func(error)) { b.writeLease(gone, nil, fn) }

// writeLease writes a lease, or removes it when there is no data.
func (b *Bus) writeLease(seen broker.Lease, data []byte, fn func(error)) {
	subject := bucketPrefix(leasesBucket) + seen.Instance
	b.store.begin(&write{
		bucket: leasesBucket, subject: subject, expected: seen.Revision, removal: data == nil, data: data,
		fn: func(_ uint64, err error) { fn(err) },
	})
}
