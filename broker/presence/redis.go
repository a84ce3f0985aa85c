package presence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// lease is how long an instance counts as alive that Redis does not hear of.
	lease = 10 * time.Second
	// touch is how often it says that it is, and how often Redis is looked for
	// while it is away.
	touch = 2 * time.Second
	// answerIn bounds one question to Redis. Connects wait for it.
	answerIn = time.Second
	// touched is what a lease says that we have touched; one that a claim wrote,
	// because there was none, says nothing.
	touched = "touched"
	// lastWords bounds what a stopping process still tells Redis.
	lastWords = 300 * time.Millisecond
)

// Config says where Redis is.
type Config struct {
	// URL of Redis: redis:// or rediss://, with the password and the number of
	// the database. One server, or the primary of several.
	URL string
	// Prefix of all keys; "" means "fanfare:".
	Prefix string
	// Logger receives that Redis is away or back; nil discards it.
	Logger *slog.Logger
}

// Redis keeps claims in Redis. It works while Run does. It is safe for
// concurrent use.
type Redis struct {
	client   *redis.Client
	prefix   string
	log      *slog.Logger
	clock    Clock
	queue    *queue
	instance atomic.Pointer[string] // that claimed last
	up       atomic.Bool
	since    atomic.Int64 // Unix ms since when Redis has forgotten nothing
	leased   atomic.Bool  // our lease was written, and is missed if it is not there
}

// NewRedis checks the configuration; it connects to nothing.
func NewRedis(cfg Config) (*Redis, error) {
	options, err := redis.ParseURL(cfg.URL)
	if err != nil {
		// The URL holds a password, and the error the URL.
		return nil, errors.New("presence: the URL of Redis cannot be read")
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = answerIn, answerIn, answerIn
	options.ContextTimeoutEnabled = true
	options.MaxRetries = -1 // a claim does not wait for a second try
	options.DialerRetries = 1
	options.PoolSize = workers + 1
	options.MinIdleConns = 1
	options.ClientName = "fanfare"
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if cfg.Prefix == "" {
		cfg.Prefix = "fanfare:"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Redis{client: redis.NewClient(options), prefix: cfg.Prefix, log: cfg.Logger, queue: newQueue()}, nil
}

// Run connects, and answers until ctx ends. Redis may be away, now or later:
// claims fail with ErrAway until it is there.
func (r *Redis) Run(ctx context.Context) error {
	r.look(ctx, true)
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.work(working)
	}()
	r.keep(ctx)
	r.queue.close()
	select {
	case <-done:
	case <-time.After(lastWords):
		stop()
		<-done
	}
	return r.leave(context.WithoutCancel(ctx))
}

// keep touches the lease until ctx ends.
func (r *Redis) keep(ctx context.Context) {
	tick := time.NewTicker(touch)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.look(ctx, false)
		}
	}
}

// look touches the lease, which shows whether Redis is there and whether it
// has forgotten us.
func (r *Redis) look(ctx context.Context, first bool) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	instance := r.instance.Load()
	if instance == nil {
		if err := r.client.Ping(ctx).Err(); err != nil {
			r.fell(err, first)
		} else {
			r.rose()
		}
		return
	}
	before, err := r.client.SetArgs(ctx, r.node(*instance), touched, redis.SetArgs{Get: true, TTL: lease}).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		r.fell(err, first)
		return
	}
	r.rose()
	if r.leased.Swap(true) && before != touched {
		r.since.Store(time.Now().UnixMilli())
		r.log.Warn("Redis has forgotten the connection claims; they are made known again")
	}
}

// rose notes that Redis answers.
func (r *Redis) rose() {
	if !r.up.Swap(true) {
		r.leased.Store(false) // the lease may have ended meanwhile
		r.since.Store(time.Now().UnixMilli())
		r.log.Info("Redis answers: connection claims are kept there")
	}
}

// fell notes that Redis does not answer.
func (r *Redis) fell(err error, first bool) {
	if r.up.Swap(false) || first {
		r.log.Warn("Redis does not answer: connections are claimed without it", slog.Any("error", err))
	}
}

// Up reports whether Redis answers.
func (r *Redis) Up() bool { return r.up.Load() }

// complete reports whether Redis has been there long enough to know every
// claim.
func (r *Redis) complete() bool {
	return r.Up() && time.Since(time.UnixMilli(r.since.Load())) >= Asserted
}

// leave takes the lease back, so that nobody waits for this instance.
func (r *Redis) leave(ctx context.Context) error {
	if instance := r.instance.Load(); instance != nil && r.Up() {
		ctx, cancel := context.WithTimeout(ctx, answerIn)
		defer cancel()
		if err := r.client.Del(ctx, r.node(*instance)).Err(); err != nil {
			r.log.Warn("lease in Redis not given back", slog.Any("error", err))
		}
	}
	if err := r.client.Close(); err != nil {
		return fmt.Errorf("presence: %w", err)
	}
	return nil
}
