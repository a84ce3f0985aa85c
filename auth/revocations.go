package auth

import (
	"context"
	"crypto/sha256"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

const (
	// revocationsAge is how long an app's revocations are believed, besides those
	// that are told of. Those that have expired take memory for as long.
	revocationsAge = 10 * time.Minute
	// revocationsPage is how many are read at once.
	revocationsPage = 10_000
	// maxPending is how many are read one by one: of more all are.
	maxPending = 1_000
)

// revocationSource is where revocations are kept.
type revocationSource interface {
	// Revocation returns one, or fault.NotFound.
	Revocation(ctx context.Context, org, app string, id tenant.RevocationID) (tenant.Revocation, error)
	// Revocations returns up to limit of an app's, in the order of their ids,
	// beginning behind one.
	Revocations(ctx context.Context, org, app string, after tenant.RevocationID, limit int) ([]tenant.Revocation, error)
}

// mark stands for a revocation: the beginning of its digest, since an app may
// have very many.
type mark [16]byte

func markOf(kind tenant.RevocationKind, subject string) mark {
	sum := sha256.Sum256([]byte(string(kind) + "/" + subject))
	return mark(sum[:])
}

// grant is what a connection can be revoked by.
type grant struct {
	token, device, user mark  // token is zero if it has no name
	issued              int64 // in Unix microseconds, at the latest; 0: nobody knows
}

// granted is a grant to a device by what was issued at a time; the zero time is
// unknown. The jti may be empty.
func (id *Identity) granted(jti string, issued time.Time) grant {
	g := grant{device: markOf(tenant.RevokedDevice, id.ClientID), user: markOf(tenant.RevokedUser, id.User)}
	if jti != "" {
		g.token = markOf(tenant.RevokedToken, jti)
	}
	if !issued.IsZero() {
		g.issued = issued.UnixMicro()
	}
	return g
}

// revocations are those of one app, all of them. They are read when somebody
// first asks, and one by one when they change: to read very many for each that
// comes would take longer than until the next.
//
// It is safe for concurrent use. One goroutine at a time reads the source, while
// there is something to read.
type revocations struct {
	app      appKey
	src      revocationSource
	now      func() time.Time
	replaced func() // called when there are others than before; does not wait

	mu sync.RWMutex // guards the following; not held while the source is read
	// until has, of devices and users, when what is revoked was issued at the
	// latest, in Unix microseconds; of tokens the end of time.
	until   map[mark]int64
	known   bool      // until is what the source has had
	due     time.Time // when to read all again
	all     bool      // all are to be read
	pending map[tenant.RevocationID]struct{}
	turn    chan struct{} // closed when the read that is under way has ended; nil: none is
	err     error         // of the last read
}

func newRevocations(app appKey, src revocationSource, now func() time.Time, replaced func()) *revocations {
	return &revocations{app: app, src: src, now: now, replaced: replaced, pending: make(map[tenant.RevocationID]struct{})}
}

// ready waits until the revocations are known. What is known serves, however
// old, while the source is away.
func (r *revocations) ready(ctx context.Context) error {
	r.mu.RLock()
	fresh := r.known && r.now().Before(r.due)
	r.mu.RUnlock()
	if fresh {
		return nil
	}
	turn := r.refresh(ctx)
	if turn == nil {
		return nil
	}
	select {
	case <-turn:
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, "the wait for the store was given up", ctx.Err())
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.known {
		return nil
	}
	return r.err
}

// refresh has all read if that is due, and returns what to wait for if nothing
// is known.
func (r *revocations) refresh(ctx context.Context) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known || !r.now().Before(r.due) {
		r.due = r.now().Add(retryAfter) // one of many callers gets to do it
		r.all = r.all || r.known        // what is not known is read whole anyway
		r.start(ctx)
	}
	if r.known {
		return nil
	}
	return r.turn
}

// revoke says whether what was granted is revoked.
func (r *revocations) revoke(g *grant) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.until) == 0 {
		return false
	}
	for _, m := range []mark{g.token, g.device, g.user} {
		if until, ok := r.until[m]; ok && g.issued <= until {
			return true
		}
	}
	return false
}

// last is when what is revoked of a user and a device was issued at the latest,
// in Unix microseconds; 0 if nothing is.
func (r *revocations) last(g *grant) int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return max(r.until[g.device], r.until[g.user])
}

// changed reads one again.
func (r *revocations) changed(id tenant.RevocationID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known && r.turn == nil {
		return // all will be read when somebody asks
	}
	if r.pending[id] = struct{}{}; len(r.pending) > maxPending {
		r.all = true
	}
	r.start(context.Background())
}

// renew reads all again.
func (r *revocations) renew() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known || r.turn != nil {
		r.all = true
		r.start(context.Background())
	}
}

// start reads what is to be read, unless that is under way. It belongs to nobody
// in particular, so it goes on when ctx ends. mu is held.
func (r *revocations) start(ctx context.Context) {
	if r.turn != nil {
		return
	}
	r.turn = make(chan struct{})
	go func() {
		for more := true; more; {
			more = r.step(context.WithoutCancel(ctx))
		}
	}()
}

// step reads something, and says whether to go on.
func (r *revocations) step(ctx context.Context) bool {
	r.mu.Lock()
	all, id := r.next()
	r.mu.Unlock()
	if all {
		until, err := r.readAll(ctx)
		return r.took(err, func() { r.replace(until) }, func() { r.all = true })
	}
	until, err := r.readOne(ctx, id)
	return r.took(err, func() { r.put(markOf(id.Kind, id.Subject), until) }, func() { r.pending[id] = struct{}{} })
}

// next takes out what to read. What all of them cover need not be read by
// itself, but what is told of meanwhile does. mu is held.
func (r *revocations) next() (all bool, id tenant.RevocationID) {
	if r.all || !r.known {
		r.all = false
		clear(r.pending)
		return true, id
	}
	for id = range r.pending {
		break
	}
	delete(r.pending, id)
	return false, id
}

// took ends a read: with keep if there is no error, or else with again. It says
// whether there is more to read.
func (r *revocations) took(err error, keep, again func()) (more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.turn)
	r.turn = nil
	if r.err = err; err != nil {
		if again(); r.known {
			time.AfterFunc(retryAfter, r.resume)
		}
		return false
	}
	if keep(); r.all || len(r.pending) > 0 {
		r.turn = make(chan struct{})
		return true
	}
	return false
}

// resume tries again what has failed.
func (r *revocations) resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all || len(r.pending) > 0 {
		r.start(context.Background())
	}
}

// replace takes all in. mu is held.
func (r *revocations) replace(until map[mark]int64) {
	if !maps.Equal(r.until, until) {
		r.replaced()
	}
	r.until, r.known, r.due = until, true, r.now().Add(revocationsAge)
}

// put takes one in, or out if until is 0. mu is held.
func (r *revocations) put(m mark, until int64) {
	if r.until[m] == until {
		return
	}
	if r.until[m] = until; until == 0 {
		delete(r.until, m)
	}
	r.replaced()
}

func (r *revocations) readAll(ctx context.Context) (map[mark]int64, error) {
	until := make(map[mark]int64)
	for after := (tenant.RevocationID{}); ; {
		page, err := r.readPage(ctx, after)
		if err != nil {
			return nil, err
		}
		for i := range page {
			until[markOf(page[i].Kind, page[i].Subject)] = untilOf(&page[i])
		}
		if len(page) < revocationsPage {
			return until, nil
		}
		after = page[len(page)-1].RevocationID
	}
}

func (r *revocations) readPage(ctx context.Context, after tenant.RevocationID) ([]tenant.Revocation, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return r.src.Revocations(ctx, r.app.org, r.app.app, after, revocationsPage)
}

// readOne returns 0 for one that is not there.
func (r *revocations) readOne(ctx context.Context, id tenant.RevocationID) (until int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	one, err := r.src.Revocation(ctx, r.app.org, r.app.app, id)
	if err != nil {
		return 0, ignoreNotFound(err)
	}
	return untilOf(&one), nil
}

func untilOf(r *tenant.Revocation) int64 {
	if r.Kind == tenant.RevokedToken {
		return math.MaxInt64
	}
	return r.IssuedBefore.UnixMicro()
}
