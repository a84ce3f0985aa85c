package jetstream

import (
	"context"
	"encoding/json"
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
	seed   maphash.Seed
	count  func(app string, done func(subjects []string, err error)) bool
	log    *slog.Logger

	mu   sync.Mutex // guards apps and what is in them
	apps map[string]*census
}

// census is one app's topics, by hash.
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
	return &quotas{limits: cfg.Retained, seed: maphash.MakeSeed(), log: cfg.Logger, apps: make(map[string]*census)}
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

// admit lets a publish of a retained message go ahead, or not. Every publish
// that was let is ended by one call of done.
func (q *quotas) admit(m *broker.Message, now time.Time) error {
	most, _ := q.limit(m.Topic)
	if most <= 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c, key := q.census(m.Topic), q.hash(m.Topic)
	if len(m.Payload) == 0 {
		c.pending[key]++
		return nil
	}
	if c.counted.IsZero() {
		q.recount(m.Topic, c, now)
		return errCounting
	}
	if _, ok := c.known[key]; !ok && len(c.known) >= most {
		c.forgetExpired(now)
		if len(c.known) >= most {
			if now.Sub(c.counted) > recountFull {
				q.recount(m.Topic, c, now)
			}
			return broker.ErrRetainedQuota
		}
	}
	if now.Sub(c.counted) > recountAfter {
		q.recount(m.Topic, c, now)
	}
	c.known[key] = q.until(m, now)
	c.pending[key]++
	return nil
}

// done notes how a publish ended.
func (q *quotas) done(m *broker.Message, err error, now time.Time) {
	if most, _ := q.limit(m.Topic); most <= 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c, key := q.census(m.Topic), q.hash(m.Topic)
	if c.pending[key]--; c.pending[key] <= 0 {
		delete(c.pending, key)
	}
	switch {
	case err != nil:
		// What is stored is not known: the next publish has it counted.
		if !c.counted.IsZero() {
			c.counted = now.Add(-recountAfter)
		}
	case len(m.Payload) == 0:
		delete(c.known, key)
		c.recent[key] = change{at: now}
	case c.counting:
		c.recent[key] = change{at: now, present: true}
	default:
		delete(c.recent, key)
	}
}

func (q *quotas) hash(name string) uint64 { return maphash.String(q.seed, name) }

func (q *quotas) census(name string) *census {
	org, app := appOf(name)
	key := org + "/" + app
	c := q.apps[key]
	if c == nil {
		c = &census{known: make(map[uint64]int64), pending: make(map[uint64]int), recent: make(map[uint64]change)}
		q.apps[key] = c
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

// recount has an app counted unless that is under way.
func (q *quotas) recount(name string, c *census, now time.Time) {
	if c.counting {
		return
	}
	org, app := appOf(name)
	c.counting = q.count(org+"/"+app, func(subjects []string, err error) { q.counted(c, subjects, err, now) })
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

// countRetained lists the subjects of an app on a goroutine that may wait.
func (b *Bus) countRetained(app string, done func([]string, error)) bool {
	return b.readers.offer(func(ctx context.Context, a *asker) {
		if a == nil {
			done(nil, errClosed)
			return
		}
		ctx, cancel := context.WithTimeout(ctx, askPatience)
		defer cancel()
		filters, err := filterSubjects(retainedPrefix, app+"/#")
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
		var info struct {
			Total int `json:"total"`
			State struct {
				Subjects map[string]uint64 `json:"subjects"`
			} `json:"state"`
			Error *struct {
				Description string `json:"description"`
			} `json:"error"`
		}
		data, err := json.Marshal(map[string]any{"subjects_filter": filter, "offset": len(all)})
		if err != nil {
			return nil, err
		}
		m, err := b.side.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+stream, data)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(m.Data, &info); err != nil {
			return nil, err
		}
		if info.Error != nil {
			return nil, jetError(info.Error.Description)
		}
		for s := range info.State.Subjects {
			all = append(all, s)
		}
		if len(info.State.Subjects) == 0 || len(all) >= info.Total {
			return all, nil
		}
	}
}
