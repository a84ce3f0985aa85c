package jetstream

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	usageBucket = "USAGE"
	// booksInterval is how often accounts with a limit are written and heard of,
	// booksSlow the others, whose limit may come.
	booksInterval = 2 * time.Second
	booksSlow     = time.Minute
	// booksIdle is when an account that nobody charges is closed.
	booksIdle = 10 * time.Minute
	// booksTries is how often one write is tried against those of other nodes.
	booksTries = 4
)

// books write the accounts to a bucket that all nodes share: each adds what only
// it knows of, by compare-and-set, and learns what the others added. A restart
// reads them there.
type books struct {
	accounts *accounts
	kv       jetstream.KeyValue
	log      *slog.Logger
}

// run writes until ctx ends, and then once more.
func (b *books) run(ctx context.Context) {
	for wait(ctx, booksInterval) {
		b.write(ctx, time.Now(), false)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerPatience)
	defer cancel()
	b.write(ctx, time.Now(), true)
}

// write brings all accounts that are due up to date.
func (b *books) write(ctx context.Context, now time.Time, all bool) {
	b.accounts.mu.RLock()
	open := maps.Clone(b.accounts.all)
	b.accounts.mu.RUnlock()
	for key, o := range open {
		retention, most := b.accounts.limitsOf(o)
		switch o.due(retention, most, now, all) {
		case booksRest:
		case booksClose:
			b.accounts.close(key, o, now)
		case booksWrite:
			if err := b.settle(ctx, o, now); err != nil && ctx.Err() == nil {
				b.log.Warn("an app's bytes in the log cannot be written", slog.Any("error", err), slog.String("app", key))
				return // the next time
			}
		}
	}
}

// limitsOf are an account's of now.
func (a *accounts) limitsOf(o *account) (retention time.Duration, most int64) {
	if o.isOrganization() {
		return 0, a.ofAll(o.org, o.app)
	}
	return a.limits(o.org, o.app)
}

// What is to be done with an account.
const (
	booksRest = iota
	booksWrite
	booksClose
)

// due takes the limits of now and tells what is to be done.
func (o *account) due(retention time.Duration, most int64, now time.Time, all bool) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retention, o.most = retention, most
	o.forget(now.UnixMilli())
	age := booksSlow
	if most > 0 {
		age = 0 // others may have filled it, too
	}
	switch {
	case len(o.unwritten) == 0 && now.Sub(o.touched) >= booksIdle:
		return booksClose
	case len(o.unwritten) == 0 && most == 0 && !o.written.IsZero():
		return booksRest
	case all && len(o.unwritten) > 0, o.written.IsZero(), now.Sub(o.written) >= age:
		return booksWrite
	}
	return booksRest
}

// close forgets an account unless it was used since.
func (a *accounts) close(key string, o *account, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.unwritten) == 0 && now.Sub(o.touched) >= booksIdle && !a.isParent(o) {
		delete(a.all, key)
	}
}

// isParent reports whether apps still count for an organization's account.
func (a *accounts) isParent(o *account) bool {
	if !o.isOrganization() {
		return false
	}
	for _, app := range a.all {
		if app.parent == o {
			return true
		}
	}
	return false
}

// settle adds what is not written to the bucket's figures and takes those over.
func (b *books) settle(ctx context.Context, o *account, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	key := usageKey(o)
	for range booksTries {
		common, revision, err := b.read(ctx, key, now)
		if err != nil {
			return err
		}
		o.mu.Lock()
		ours := maps.Clone(o.unwritten)
		o.mu.Unlock()
		for slot, bytes := range ours {
			common[slot] = max(0, common[slot]+bytes)
		}
		if len(ours) > 0 {
			err = b.put(ctx, key, common, revision)
			if isConflict(err) {
				continue // another node was faster
			}
			if err != nil {
				return err
			}
		}
		o.take(common, ours, now)
		return nil
	}
	return nil // there is much going on; the next time
}

// take notes what all nodes know of together.
func (o *account) take(common, ours map[int64]int64, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for slot, bytes := range ours {
		if o.unwritten[slot] -= bytes; o.unwritten[slot] == 0 {
			delete(o.unwritten, slot)
		}
	}
	o.held, o.sum = common, 0
	for slot, bytes := range o.unwritten {
		o.held[slot] += bytes
	}
	for _, bytes := range o.held {
		o.sum += bytes
	}
	o.written = now
}

func (b *books) read(ctx context.Context, key string, now time.Time) (map[int64]int64, uint64, error) {
	held := make(map[int64]int64)
	entry, err := b.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return held, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("jetstream: bytes of an app: %w", err)
	}
	var figures map[string]int64
	if err := json.Unmarshal(entry.Value(), &figures); err != nil {
		return nil, 0, fmt.Errorf("jetstream: bytes of an app: %w", err)
	}
	for text, bytes := range figures {
		if slot, err := strconv.ParseInt(text, 10, 64); err == nil && slot > now.UnixMilli() {
			held[slot] = bytes
		}
	}
	return held, entry.Revision(), nil
}

func (b *books) put(ctx context.Context, key string, held map[int64]int64, revision uint64) error {
	figures := make(map[string]int64, len(held))
	for slot, bytes := range held {
		figures[strconv.FormatInt(slot, 10)] = bytes
	}
	data, err := json.Marshal(figures)
	if err != nil {
		return err
	}
	if revision == 0 {
		_, err = b.kv.Create(ctx, key, data)
	} else {
		_, err = b.kv.Update(ctx, key, data, revision)
	}
	return err
}

// usageKey is where the figures of an app are, or of an organization. The second
// level of a topic may be any text.
func usageKey(o *account) string {
	if o.isOrganization() {
		return base64.RawURLEncoding.EncodeToString([]byte(o.org)) + ".all"
	}
	return appUsageKey(o.org, o.app)
}

func appUsageKey(org, app string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(org)) + "." + "x" + encode([]byte(app))
}
