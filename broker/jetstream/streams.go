package jetstream

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers that NATS itself reads.
const (
	headerTTL      = "Nats-TTL"
	headerID       = "Nats-Msg-Id"
	headerBatch    = "Nats-Batch-Id"
	headerBatchSeq = "Nats-Batch-Sequence"
	headerCommit   = "Nats-Batch-Commit"
	headerExpected = "Nats-Expected-Last-Subject-Sequence"
)

const (
	// duplicates is the window of Nats-Msg-Id, which only collapse keys use.
	duplicates = 2 * time.Minute
	// maxConsumers bounds a shard's share groups and scans: at 46 KB each a few
	// GB of the servers' memory, and more than a server's own default.
	maxConsumers = 100_000
	// errWrongLast is JetStream's code for "wrong last sequence: N".
	errWrongLast = 10071
	// errNoPeers says that there are not servers enough for the replicas.
	errNoPeers = 10005
	// errNoLeader and errNotReady say that there is no leader just now.
	errNoLeader = 10008
	errNotReady = 10163
	// errBusyLast is the same while another message of that subject is under way.
	errBusyLast = 10164
)

func streamName(shard int) string { return logStreams + strconv.Itoa(shard) }

// logStreams is what the names of the log's streams begin with.
const logStreams = "LOG_"

// sentinel is a message of every shard that never expires and that no tenant's
// filter can match, so that a question about the log always has an answer.
func sentinel(shard int) string { return logPrefix + strconv.Itoa(shard) + ".sentinel" }

// logStream changes c to what a shard of the log must be; what it does not
// mention is the operator's.
func logStream(c jetstream.StreamConfig, shard int, cfg Config) jetstream.StreamConfig {
	if c.Name == "" {
		c.MaxConsumers = maxConsumers // cannot be changed later
	}
	c.Name = streamName(shard)
	c.Description = "Fanfare log, shard " + strconv.Itoa(shard)
	c.Subjects = []string{logPrefix + strconv.Itoa(shard) + ".>"}
	c.Storage = jetstream.FileStorage
	c.Retention = jetstream.LimitsPolicy
	c.Discard = jetstream.DiscardNew // at MaxBytes appends fail and nothing old is lost
	c.MaxMsgsPerSubject = 1          // a collapse key keeps its newest message
	c.MaxAge = cfg.Retention
	c.MaxBytes = -1
	if cfg.MaxBytes > 0 {
		c.MaxBytes = cfg.MaxBytes
	}
	c.AllowDirect = true
	c.AllowMsgTTL = true
	c.AllowAtomicPublish = true
	c.Duplicates = min(duplicates, cfg.Retention)
	return c
}

// openStreams creates the streams, or brings them up to date.
func openStreams(ctx context.Context, js jetstream.JetStream, cfg Config, shards, replicas int) error {
	for shard := range shards {
		want := func(c jetstream.StreamConfig) jetstream.StreamConfig { return logStream(c, shard, cfg) }
		if err := openStream(ctx, js, cfg, want, sentinel(shard), replicas); err != nil {
			return fmt.Errorf("jetstream: stream %s: %w", streamName(shard), err)
		}
	}
	want := func(c jetstream.StreamConfig) jetstream.StreamConfig { return retainedStream(c, cfg) }
	if err := openStream(ctx, js, cfg, want, retainedSentinel, replicas); err != nil {
		return fmt.Errorf("jetstream: stream %s: %w", retainedName, err)
	}
	if err := openStream(ctx, js, cfg, eventStream, "", replicas); err != nil {
		return fmt.Errorf("jetstream: stream %s: %w", eventsStream, err)
	}
	return nil
}

// replicated tells whether a shard of the log has several replicas, whatever
// this node asked for.
func replicated(ctx context.Context, js jetstream.JetStream, shards int) (bool, error) {
	for shard := range shards {
		stream, err := js.Stream(ctx, streamName(shard))
		if err != nil {
			return false, fmt.Errorf("jetstream: stream %s: %w", streamName(shard), err)
		}
		if stream.CachedInfo().Config.Replicas > 1 {
			return true, nil
		}
	}
	return false, nil
}

// openBuckets does the same for the buckets.
func openBuckets(ctx context.Context, js jetstream.JetStream, cfg Config, replicas int) error {
	for _, bucket := range []string{metaBucket, nodesBucket, leasesBucket, sessionsBucket, willsBucket, usageBucket} {
		want := func(c jetstream.StreamConfig) jetstream.StreamConfig { return bucketConfig(c, bucket) }
		if err := openStream(ctx, js, cfg, want, "", replicas); err != nil {
			return fmt.Errorf("jetstream: bucket %s: %w", bucket, err)
		}
	}
	return nil
}

// openStream makes a stream what ours says it must be, with its sentinel if it
// is to have one.
func openStream(ctx context.Context, js jetstream.JetStream, cfg Config, ours func(jetstream.StreamConfig) jetstream.StreamConfig, sentinel string, replicas int) error {
	fresh := ours(jetstream.StreamConfig{Replicas: replicas})
	stream, err := js.Stream(ctx, fresh.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = js.CreateStream(ctx, fresh)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			stream, err = js.Stream(ctx, fresh.Name) // another node was faster
		}
	}
	if err != nil {
		return err
	}
	now := stream.CachedInfo().Config
	want := ours(now)
	if cfg.Replicas != 0 || replicas > now.Replicas {
		want.Replicas = replicas
	}
	if !reflect.DeepEqual(now, want) {
		if _, err = js.UpdateStream(ctx, want); err != nil {
			return err
		}
	}
	if sentinel == "" {
		return nil
	}
	return putSentinel(ctx, js, sentinel)
}

// putSentinel sees to it that the sentinel is there: another node's may be
// under way, which is no more than a hope.
func putSentinel(ctx context.Context, js jetstream.JetStream, subject string) error {
	for {
		m := nats.NewMsg(subject)
		m.Header.Set(headerTTL, "never")
		_, err := js.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(0))
		e := (*jetstream.APIError)(nil)
		switch {
		case errors.As(err, &e) && e.ErrorCode == errWrongLast:
			return nil // it is there
		case errors.As(err, &e) && e.ErrorCode == errBusyLast && wait(ctx, retryDelay):
		default:
			return err
		}
	}
}
