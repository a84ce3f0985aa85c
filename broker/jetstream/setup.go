package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// setupPatience bounds the creation of streams and buckets, and setupAttempt
	// one attempt: it is longer than an election takes.
	setupPatience = time.Minute
	setupAttempt  = 10 * time.Second
	setupPause    = 250 * time.Millisecond
)

func (b *Bus) connect(ctx context.Context) (err error) {
	if b.cfg.embedded() {
		if b.upstream.server, err = startEmbedded(b.cfg); err != nil {
			return err
		}
	}
	if b.trunk, err = b.upstream.trunk(ctx, &b.counters, b.trouble); err != nil {
		return err
	}
	if b.side, err = b.upstream.side(ctx, &b.counters); err != nil {
		return err
	}
	if b.js, err = jetstream.New(b.side); err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	b.maxPayload = int(b.trunk.MaxPayload())
	ctx, cancel := context.WithTimeout(ctx, setupPatience)
	defer cancel()
	if err := b.setUpPatiently(ctx); err != nil {
		return fmt.Errorf("%w (nats-server %s)", err, b.trunk.ConnectedServerVersion())
	}
	if b.Alone() {
		return nil
	}
	return b.hearDoubts()
}

// setUpPatiently repeats setUp while JetStream has no leader: a question that
// is asked during an election is never answered.
func (b *Bus) setUpPatiently(ctx context.Context) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, setupAttempt)
		err := b.setUp(attempt)
		cancel()
		if err == nil || !isElection(err) || !wait(ctx, setupPause) {
			return err
		}
		b.cfg.Logger.Info("waiting for JetStream", slog.Any("error", err))
	}
}

// isElection tells errors that pass from those that stay.
func isElection(err error) bool {
	for _, passing := range []error{context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders} {
		if errors.Is(err, passing) {
			return true
		}
	}
	e := (*jetstream.APIError)(nil)
	if !errors.As(err, &e) {
		return false
	}
	// A server that has just joined, or is away, may be there in a moment; one
	// that there is not never will be.
	absent := e.ErrorCode == errNoPeers && strings.Contains(e.Description, "offline")
	return absent || e.ErrorCode == errNoLeader || e.ErrorCode == errNotReady
}

// setUp agrees with the cluster on its shape and makes what is missing. It may
// be called again after an error.
func (b *Bus) setUp(ctx context.Context) error {
	js, err := jetstream.New(b.trunk)
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	replicas := b.upstream.replicas(b.trunk)
	if err := openBuckets(ctx, js, b.cfg, replicas); err != nil {
		return err
	}
	if b.generations.kv, err = openBucket(ctx, js, metaBucket); err != nil {
		return err
	}
	if b.shards, err = joinCluster(ctx, b.generations.kv, b.cfg); err != nil {
		return err
	}
	if !b.Alone() && b.claim == nil {
		nodes, err := openBucket(ctx, js, nodesBucket)
		if err != nil {
			return err
		}
		if b.claim, err = claimName(ctx, b.trunk, nodes, b.cfg.Node, b.writer); err != nil {
			return err
		}
	}
	b.replicated = b.trunk.ConnectedClusterName() != ""
	if err := openStreams(ctx, js, b.cfg, b.shards, replicas); err != nil {
		return err
	}
	if err := b.chooseBatches(ctx, js); err != nil {
		return err
	}
	if b.usage, err = openBucket(ctx, b.js, usageBucket); err != nil {
		return err
	}
	return b.setUpStore(ctx, js)
}

// chooseBatches decides how this node appends.
func (b *Bus) chooseBatches(ctx context.Context, js jetstream.JetStream) error {
	several, err := replicated(ctx, js, b.shards)
	b.batched = several || b.Alone() && b.cfg.SyncAlways
	return err
}

// readHeads notes where the log ends: what was there before was handed over.
func (b *Bus) readHeads(ctx context.Context) error {
	b.heads = make([]head, b.shards)
	if !b.Alone() {
		return nil
	}
	for shard := range b.heads {
		state, err := askState(ctx, b.side, streamName(shard))
		if err != nil {
			return err
		}
		b.heads[shard].settle(state.LastSeq)
	}
	return nil
}
