package jetstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The buckets. META holds what all nodes must agree on, NODES who is alive.
const (
	metaBucket  = "META"
	nodesBucket = "NODES"
	// markerTTL is how long a bucket remembers that a key was removed.
	markerTTL = time.Minute
)

// The keys of META.
const (
	keySchema = "schema"
	keyShards = "shards"
)

// schemaVersion counts incompatible changes of subjects, streams and buckets.
const schemaVersion = 1

// openBucket opens a bucket that openStreams made.
func openBucket(ctx context.Context, js jetstream.JetStream, name string) (jetstream.KeyValue, error) {
	kv, err := js.KeyValue(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("jetstream: bucket %s: %w", name, err)
	}
	return kv, nil
}

// agree returns the number at key, which is ours if nobody wrote one before.
func agree(ctx context.Context, kv jetstream.KeyValue, key string, ours int) (int, error) {
	_, err := kv.Create(ctx, key, []byte(strconv.Itoa(ours)))
	if err == nil {
		return ours, nil
	}
	if !errors.Is(err, jetstream.ErrKeyExists) {
		return 0, fmt.Errorf("jetstream: %s of the cluster: %w", key, err)
	}
	entry, err := kv.Get(ctx, key)
	for errors.Is(err, jetstream.ErrKeyNotFound) && wait(ctx, retryDelay) { // another node's is under way
		entry, err = kv.Get(ctx, key)
	}
	if err != nil {
		return 0, fmt.Errorf("jetstream: %s of the cluster: %w", key, err)
	}
	n, err := strconv.Atoi(string(entry.Value()))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("jetstream: %s of the cluster: %q is not a number above 0", key, entry.Value())
	}
	return n, nil
}

// joinCluster checks that this program understands the cluster's schema and
// returns its number of shards, which a node that wants more raises.
func joinCluster(ctx context.Context, kv jetstream.KeyValue, cfg Config) (shards int, err error) {
	schema, err := agree(ctx, kv, keySchema, schemaVersion)
	if err != nil {
		return 0, err
	}
	if schema != schemaVersion {
		return 0, fmt.Errorf("jetstream: the log has schema %d and this program knows %d: use a matching version of Fanfare", schema, schemaVersion)
	}
	shards, err = agree(ctx, kv, keyShards, cmp.Or(cfg.Shards, cfg.defaultShards()))
	for err == nil && shards < cfg.Shards {
		shards, err = raise(ctx, kv, keyShards, cfg.Shards)
	}
	switch {
	case err != nil:
		return 0, err
	case shards > maxShards:
		return 0, fmt.Errorf("jetstream: the cluster has %d shards: want at most %d", shards, maxShards)
	case cfg.Shards != 0 && cfg.Shards < shards:
		return 0, fmt.Errorf("jetstream: the cluster has %d shards, which cannot become %d: organizations have their messages in all of them", shards, cfg.Shards)
	}
	return shards, nil
}

// raise makes the number at key ours if it is lower, and returns what it is.
func raise(ctx context.Context, kv jetstream.KeyValue, key string, ours int) (int, error) {
	entry, err := kv.Get(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("jetstream: %s of the cluster: %w", key, err)
	}
	n, err := strconv.Atoi(string(entry.Value()))
	if err != nil || n >= ours {
		return n, err
	}
	_, err = kv.Update(ctx, key, []byte(strconv.Itoa(ours)), entry.Revision())
	if isConflict(err) {
		return n, nil // somebody else has raised it: look again
	}
	return ours, err
}
