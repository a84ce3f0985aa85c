package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// dialTimeout bounds one attempt on one server.
	dialTimeout = 5 * time.Second
	// openPatience is how long Open tries to reach NATS: containers of one
	// deployment start in any order.
	openPatience = 10 * time.Second
	// pingInterval and maxPings find a peer that died without a word in 20 to
	// 30 seconds.
	pingInterval = 10 * time.Second
	maxPings     = 2
	// writeTimeout ends a connection whose server takes no bytes.
	writeTimeout = 5 * time.Second
	// reconnectWait, and as much again at random, lies between attempts: short
	// because every second of it is a second without live messages.
	reconnectWait = 250 * time.Millisecond
)

// upstream knows how to reach NATS, embedded or not.
type upstream struct {
	cfg    Config
	server *embedded // nil when NATS is external
}

// connect opens a connection; extra options come last.
func (u *upstream) connect(url, purpose string, extra ...nats.Option) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name("fanfare " + u.cfg.Node + " " + purpose),
		nats.Timeout(dialTimeout),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPings),
		nats.FlusherTimeout(writeTimeout),
		nats.SkipSubjectValidation(), // checkTopic leaves nothing to object to
	}
	if u.server != nil {
		opts = append(opts, nats.InProcessServer(u.server.server))
	}
	if u.cfg.Creds != "" {
		opts = append(opts, nats.UserCredentials(u.cfg.Creds))
	}
	return nats.Connect(url, append(opts, extra...)...)
}

// trunk opens the connection for live messages both ways, announcements and
// the setting up. It never gets back what it sent.
//
// trouble hears why messages may have been lost.
func (u *upstream) trunk(ctx context.Context, c *counters, trouble func(conn *nats.Conn, reason string)) (*nats.Conn, error) {
	return u.lasting(ctx, "trunk", c, trouble, nats.NoEcho())
}

// side opens the connection for reading the log, for retained messages and for
// share groups: large answers do not hold up live messages there, and a group
// hears this node's own.
func (u *upstream) side(ctx context.Context, c *counters) (*nats.Conn, error) {
	return u.lasting(ctx, "side", c, calm)
}

// lasting opens a connection that reconnects for ever.
func (u *upstream) lasting(ctx context.Context, purpose string, c *counters, trouble func(*nats.Conn, string), extra ...nats.Option) (*nats.Conn, error) {
	opts := append(append([]nats.Option{
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectWait, reconnectWait),
	}, logged(u.cfg.Logger, c, trouble)...), extra...)
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	for {
		conn, err := u.connect(u.cfg.URL, purpose, opts...)
		if err == nil {
			return conn, nil
		}
		u.cfg.Logger.Warn("NATS cannot be reached", slog.Any("error", err))
		if !wait(ctx, reconnectWait) {
			return nil, fmt.Errorf("jetstream: NATS at %s: %w", u.cfg.URL, err)
		}
	}
}

// calm is for connections that carry no live messages.
func calm(*nats.Conn, string) {}

// logged reports what happens to a connection that reconnects.
func logged(log *slog.Logger, c *counters, trouble func(*nats.Conn, string)) []nats.Option {
	return []nats.Option{
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("NATS disconnected", slog.Any("error", err))
			}
		}),
		nats.ReconnectHandler(func(conn *nats.Conn) {
			c.reconnects.Add(1)
			log.Info("NATS reconnected", slog.String("server", conn.ConnectedServerName()))
			trouble(conn, doubtReconnect)
		}),
		nats.ErrorHandler(func(conn *nats.Conn, s *nats.Subscription, err error) {
			// Signalled once per spell and subscription; what did not fit into
			// the channel is lost to this node.
			if errors.Is(err, nats.ErrSlowConsumer) {
				c.slowConsumers.Add(1)
				trouble(conn, doubtSlow)
			}
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			log.Warn("NATS reports trouble", slog.Any("error", err), slog.String("subject", subject))
		}),
	}
}

// servers are the addresses for another connection: those that were configured
// and those that the cluster told about.
func (u *upstream) servers(trunk *nats.Conn) string {
	if u.server != nil {
		return ""
	}
	return strings.Join(trunk.Servers(), ",")
}

// replicas is how many copies a new stream has.
func (u *upstream) replicas(trunk *nats.Conn) int {
	switch {
	case u.cfg.Replicas != 0:
		return u.cfg.Replicas
	case u.server != nil || trunk.ConnectedClusterName() == "":
		return 1
	}
	return min(defaultMaxReplicas, max(1, len(trunk.Servers())))
}

// wait sleeps for d and reports false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
