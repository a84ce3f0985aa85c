package meter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// answerIn bounds one question to Redis, of which an exchange has some.
	answerIn = 500 * time.Millisecond
	// farewell bounds the last words: without them the others find out by themselves.
	farewell = 50 * time.Millisecond
	// again is how often Redis is looked for while it is away.
	again = time.Second
	// lifetime of a key in Redis that no node writes any more.
	lifetime = 10 * time.Second
	// batch is how many keys go to Redis at once.
	batch = 500
)

// errForgotten is a Redis that was emptied.
var errForgotten = errors.New("meter: Redis has forgotten this node")

// A link is the way to the other nodes: a hash in Redis for each key, and in it
// a field for each node. It is not safe for concurrent use.
type link struct {
	client *redis.Client
	prefix string
	log    *slog.Logger

	name  string // of this process
	beats int64  // how often it has said that it is there
	peers peers
	up    bool
	down  bool      // it was said that Redis is away
	next  time.Time // when to try again
}

func newLink(cfg Config) (*link, error) {
	options, err := redis.ParseURL(cfg.URL)
	if err != nil {
		// The URL holds a password, and the error the URL.
		return nil, errors.New("meter: the URL of Redis cannot be read")
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = answerIn, answerIn, answerIn
	options.ContextTimeoutEnabled = true
	options.MaxRetries = -1 // the next exchange comes soon enough
	options.DialerRetries = 1
	options.PoolSize = 1
	options.ClientName = "fanfare-meter"
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if cfg.Prefix == "" {
		cfg.Prefix = "fanfare:"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &link{
		client: redis.NewClient(options), prefix: cfg.Prefix + "meter:", log: cfg.Logger, name: rand.Text(), peers: peers{},
	}, nil
}

// due reports whether Redis is there, or is to be looked for.
func (l *link) due(now time.Time) bool { return l.up || !now.Before(l.next) }

// exchange says and learns all that there is to say, and returns how many
// nodes share.
func (l *link) exchange(ctx context.Context, now time.Time, sayings []saying) (nodes int, err error) {
	err = l.beat(ctx, now)
	for some := range slices.Chunk(sayings, batch) {
		if err == nil {
			err = l.say(ctx, now, some)
		}
	}
	if err != nil {
		l.fell(now, err)
		return 1, err
	}
	l.rose()
	return 1 + l.peers.living(now), nil
}

// beat says that this node is there, and learns which others are.
func (l *link) beat(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	pipe := l.client.Pipeline()
	key := l.prefix + "nodes"
	all := pipe.HGetAll(ctx, key)
	pipe.HSet(ctx, key, l.name, l.beats+1)
	pipe.PExpire(ctx, key, lifetime)
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	_, known := all.Val()[l.name]
	if l.beats++; l.up && !known {
		return errForgotten
	}
	for _, name := range l.peers.heard(all.Val(), l.name, now) {
		if err := l.client.HDel(ctx, key, name).Err(); err != nil {
			return err
		}
	}
	return nil
}

// say says what this node has to say of some keys, and lets their learners know
// what the other nodes say.
func (l *link) say(ctx context.Context, now time.Time, sayings []saying) error {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	pipe := l.client.Pipeline()
	answers := make([]*redis.MapStringStringCmd, len(sayings))
	for i, s := range sayings {
		key := l.prefix + s.key
		if s.silent {
			pipe.HDel(ctx, key, l.name)
			continue
		}
		pipe.HSet(ctx, key, l.name, words(l.beats, s.value))
		pipe.PExpire(ctx, key, lifetime)
		answers[i] = pipe.HGetAll(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	clean := l.client.Pipeline()
	for i, s := range sayings {
		if s.silent {
			continue
		}
		others, dead := l.peers.sort(answers[i].Val(), l.name, now)
		s.topic.learn(others)
		if len(dead) > 0 {
			clean.HDel(ctx, l.prefix+s.key, dead...)
		}
	}
	_, err := clean.Exec(ctx)
	return err
}

// rose notes that Redis answers.
func (l *link) rose() {
	if !l.up {
		l.up, l.down = true, false
		l.log.Info("Redis answers: tenants' rates and counts are shared between nodes")
	}
}

// fell notes that Redis does not answer, or has forgotten what was said.
func (l *link) fell(now time.Time, err error) {
	l.up, l.peers = false, peers{}
	if errors.Is(err, errForgotten) {
		l.log.Warn("Redis has forgotten tenants' rates and counts; they are made known again")
		return
	}
	if !l.down {
		l.log.Warn("Redis does not answer: each node has its tenants' whole rates", slog.Any("error", err))
	}
	l.down, l.next = true, now.Add(again)
}

// leave takes this node from among the others, so that they need not find out.
// There may be no link.
func (l *link) leave(ctx context.Context) error {
	if l == nil {
		return nil
	}
	if l.up {
		ctx, cancel := context.WithTimeout(ctx, farewell)
		defer cancel()
		if err := l.client.HDel(ctx, l.prefix+"nodes", l.name).Err(); err != nil {
			l.log.Warn("this node's rates and counts were not taken back from Redis", slog.Any("error", err))
		}
	}
	if err := l.client.Close(); err != nil {
		return fmt.Errorf("meter: %w", err)
	}
	return nil
}
