package jetstream

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// recountAfter is the age at which a count is made anew, because other
	// nodes write too and messages expire; recountFull when the app is full.
	recountAfter = 30 * time.Second
	recountFull  = 2 * time.Second
)

// errCounting is ErrOverloaded for a moment: the app's topics are not counted.
var (
	errNotCounted = errors.New("the app's retained messages are not counted yet")
	errCounting   = fault.Wrap(broker.ErrOverloaded.Code, broker.ErrOverloaded.Message, errNotCounted)
)

// quotas knows which topics of an app have a retained message, as far as an
// app with a limit publishes any here.
type quotas struct {
	limits func(org, app string) (int, time.Duration) // nil: none
	shared func(org, app string) (int, int64)         // of organizations; nil: none
	seed   maphash.Seed
	count  func(app string, done func(subjects []string, err error)) bool
	log    *slog.Logger

	mu  sync.Mutex // guards all and what is in it
	all map[string]*census
}

// scope is whose retained messages are counted: an app's, "org/app", or an
// organization's.
type scope struct {
	of   string
	most int
	full error
}

// census is the topics of one scope, by hash.
type census struct {
	known   map[uint64]int64 // until when, in Unix ms; 0: not known or for ever
	pending map[uint64]int   // publishes under way
	// recent are changes that a count may not show: topics written here while
	// it is made, and cleared ones, whose tombstones it counts.
	recent   map[uint64]change
	counted  time.Time // when the last count began; zero: never
	counting bool
}

type change struct {
	at      time.Time
	present bool
}

func newQuotas(cfg Config) *quotas {
	return &quotas{limits: cfg.Retained, seed: maphash.MakeSeed(), log: cfg.Logger, shared: cfg.Organization, all: make(map[string]*census)}
}

// appOf splits the organization and the app off a topic's name.
func appOf(name string) (org, app string) {
	org, rest, _ := strings.Cut(name, "/")
	app, _, _ = strings.Cut(rest, "/")
	return org, app
}

// limit is the app's number of retained messages and their longest life.
func (q *quotas) limit(name string) (most int, expiry time.Duration) {
	if q.limits == nil {
		return 0, 0
	}
	return q.limits(appOf(name))
}

// until is when a retained message ends, in Unix ms; 0: never.
func (q *quotas) until(m *broker.Message, now time.Time) int64 {
	_, expiry := q.limit(m.Topic)
	if expiry <= 0 {
		return m.Expires
	}
	end := now.Add(expiry).UnixMilli()
	if m.Expires != 0 {
		end = min(end, m.Expires)
	}
	return end
}

// timeToLive is a retained message's, in milliseconds; 0: it stays.
func (q *quotas) timeToLive(m *broker.Message) int64 {
	now := time.Now()
	if end := q.until(m, now); end != 0 {
		return max(1, end-now.UnixMilli())
	}
	return 0
}

// scopes are those with a limit that a topic counts for.
func (q *quotas) scopes(name string) (scopes []scope) {
	org, app := appOf(name)
	if most, _ := q.limit(name); most > 0 {
		scopes = append(scopes, scope{of: org + "/" + app, most: most, full: broker.ErrRetainedQuota})
	}
	if q.shared == nil {
		return scopes
	}
	if most, _ := q.shared(org, app); most > 0 {
		scopes = append(scopes, scope{of: org, most: most, full: broker.ErrOrganizationRetained})
	}
	return scopes
}

// admit lets a publish of a retained message go ahead, or not. Every publish
// that was let is ended by one call of done.
func (q *quotas) admit(m *broker.Message, now time.Time) error {
	scopes := q.scopes(m.Topic)
	if len(scopes) == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	key := q.hash(m.Topic)
	for _, s := range scopes {
		if err := q.fits(s, key, m, now); err != nil {
			return err
		}
	}
	for _, s := range scopes {
		c := q.census(s.of)
		c.pending[key]++
		if len(m.Payload) > 0 {
			c.known[key] = q.until(m, now)
		}
	}
	return nil
}

// fits says whether a scope has room for a message. It is called with mu held.
func (q *quotas) fits(s scope, key uint64, m *broker.Message, now time.Time) error {
	c := q.census(s.of)
	if len(m.Payload) == 0 {
		return nil
	}
	if c.counted.IsZero() {
		q.recount(s.of, c, now)
		return errCounting
	}
	if _, ok := c.known[key]; !ok && len(c.known) >= s.most {
		c.forgetExpired(now)
		if len(c.known) >= s.most {
			if now.Sub(c.counted) > recountFull {
				q.recount(s.of, c, now)
			}
			return s.full
		}
	}
	if now.Sub(c.counted) > recountAfter {
		q.recount(s.of, c, now)
	}
	return nil
}

// done notes how a publish ended.
func (q *quotas) done(m *broker.Message, err error, now time.Time) {
	scopes := q.scopes(m.Topic)
	if len(scopes) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range scopes {
		q.census(s.of).done(q.hash(m.Topic), len(m.Payload) == 0, err, now)
	}
}

func (c *census) done(key uint64, cleared bool, err error, now time.Time) {
	if c.pending[key]--; c.pending[key] <= 0 {
		delete(c.pending, key)
	}
	switch {
	case err != nil:
		// What is stored is not known: the next publish has it counted.
		if !c.counted.IsZero() {
			c.counted = now.Add(-recountAfter)
		}
	case cleared:
		delete(c.known, key)
		c.recent[key] = change{at: now}
	case c.counting:
		c.recent[key] = change{at: now, present: true}
	default:
		delete(c.recent, key)
	}
}

func (q *quotas) hash(name string) uint64 { return maphash.String(q.seed, name) }

func (q *quotas) census(of string) *census {
	c := q.all[of]
	if c == nil {
		c = &census{known: make(map[uint64]int64), pending: make(map[uint64]int), recent: make(map[uint64]change)}
		q.all[of] = c
	}
	return c
}

func (c *census) forgetExpired(now time.Time) {
	for key, end := range c.known {
		if end != 0 && now.UnixMilli() >= end && c.pending[key] == 0 {
			delete(c.known, key)
		}
	}
}

// recount has a scope counted unless that is under way.
func (q *quotas) recount(of string, c *census, now time.Time) {
	if c.counting {
		return
	}
	c.counting = q.count(of, func(subjects []string, err error) { q.counted(c, subjects, err, now) })
}

// counted takes the subjects that a count found which began then.
func (q *quotas) counted(c *census, subjects []string, err error, began time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.counting = false
	if err != nil {
		q.log.Warn("retained messages cannot be counted", slog.Any("error", err))
		return
	}
	c.counted = began
	known := make(map[uint64]int64, len(subjects))
	for _, s := range subjects {
		if name, err := topicOf(s[len(retainedPrefix):]); err == nil {
			key := q.hash(name)
			known[key] = c.known[key]
		}
	}
	for key, ch := range c.recent {
		switch {
		case ch.present && !ch.at.Before(began):
			known[key] = c.known[key]
		case !ch.present && ch.at.After(began.Add(-tombstoneTTL)):
			delete(known, key)
			continue // as long as its tombstone is there
		}
		delete(c.recent, key)
	}
	for key := range c.pending {
		if end, ok := c.known[key]; ok {
			known[key] = end
		}
	}
	c.known = known
}

// countRetained lists the subjects of an app or an organization on a goroutine
// that may wait.
func (b *Bus) countRetained(of string, done func([]string, error)) bool {
	return b.readers.offer("", func(ctx context.Context, a *asker) {
		if a == nil {
			done(nil, errClosed)
			return
		}
		ctx, cancel := context.WithTimeout(ctx, askPatience)
		defer cancel()
		filters, err := filterSubjects(retainedPrefix, of+"/#")
		var all []string
		for _, filter := range filters {
			var some []string
			if err == nil {
				some, err = b.subjects(ctx, retainedName, filter)
				all = append(all, some...)
			}
		}
		done(all, err)
	})
}

// subjects lists a stream's subjects that match, which come in pages.
func (b *Bus) subjects(ctx context.Context, stream, filter string) ([]string, error) {
	var all []string
	for {
		info, err := b.askSubjects(ctx, stream, filter, len(all))
		if err != nil {
			return nil, err
		}
		for s := range info.State.Subjects {
			all = append(all, s)
		}
		if len(info.State.Subjects) == 0 || len(all) >= info.Total {
			return all, nil
		}
	}
}
