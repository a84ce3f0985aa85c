// Package jetstream is the bus between nodes: the message log, live delivery,
// interest and announcements. It is the only package that speaks NATS.
// DESIGN.md beside this file describes the subjects, the envelope and the
// streams.
package jetstream

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"
)

// Config says where NATS is and how much this node asks of it.
type Config struct {
	// Node is this node's name, unique among live nodes of one cluster:
	// letters, digits, "-" and "_", with dots between.
	Node string
	// Dir is the folder of the embedded server's store.
	Dir string
	// URL names the NATS servers, separated by commas; empty means the embedded
	// server, which opens no port.
	URL string
	// Creds is a NATS credentials file, or empty.
	Creds string
	// Replicas of each stream; 0 means the lesser of 3 and the servers there are.
	Replicas int
	// Shards is the number of log streams; 0 means what the cluster has, and for
	// a new one 1 embedded and 16 otherwise. A higher number than the cluster's
	// raises it, for organizations that are created from then on; a lower one is
	// refused.
	Shards int
	// SyncAlways makes the embedded server sync the disk before it acknowledges,
	// once for all messages that came meanwhile. Without it a power cut loses up
	// to a second; a killed process loses nothing.
	SyncAlways bool
	// MaxPending is how many appends of this node may wait for the log; 0 means
	// 50,000, which is worked off in a few seconds on a healthy server, well
	// before an append is given up, and is half of what a server queues for a
	// stream before it refuses.
	MaxPending int
	// MaxPendingBytes bounds the same messages in bytes; 0 means 64 MiB.
	MaxPendingBytes int
	// MaxBytes is the size of each shard of the log on disk; 0 means no bound
	// but the server's, and embedded what leaves 256 MiB of the disk. At the
	// bound new messages are refused.
	MaxBytes int64
	// Retention is the age at which the log forgets a message, whatever its app
	// says; 0 means 7 days.
	Retention time.Duration
	// Log tells how long the log keeps an app's messages and how many bytes of
	// them it may hold; the app is a topic's second level, and 0 means no limit
	// of its own. It is called for the first message of an app and from then on
	// every few seconds. Nil sets no limits and counts nothing.
	Log func(org, app string) (retention time.Duration, bytes int64)
	// Retained tells how many retained messages an app may have and how long one
	// is kept at most; the app is a topic's second level, and 0 means no limit.
	// It is called for every retained message and must not block. Nil sets no
	// limits.
	Retained func(org, app string) (most int, expiry time.Duration)
	// Organization tells how many retained messages all apps of an organization may
	// have, and how many bytes of them the log may hold; 0 means no limit. It is
	// called as Log and Retained are, for an app of it. Nil sets no limits.
	Organization func(org, app string) (retained int, bytes int64)
	// RetainedBytes is the size of all retained messages on disk; 0 means no
	// bound but the server's. At the bound new ones are refused.
	RetainedBytes int64
	// GroupAckWait is how long a share group's message stays with a node that
	// gives no sign of life; 0 means 15 seconds.
	GroupAckWait time.Duration
	// Logger receives what happens to the connection; nil discards it.
	Logger *slog.Logger
}

const (
	clusterShards      = 16
	maxPending         = 50_000
	maxPendingBytes    = 64 << 20
	defaultRetention   = 7 * 24 * time.Hour
	minRetention       = time.Second // NATS refuses a shorter time to live
	maxNode            = 128
	maxShards          = 1024
	maxReplicas        = 5 // of JetStream
	defaultMaxReplicas = 3
)

var nodeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

func (c Config) embedded() bool { return c.URL == "" }

func (c Config) validate() error {
	switch {
	case len(c.Node) > maxNode || !nodeName.MatchString(c.Node):
		return fmt.Errorf("jetstream: node name %q: want letters, digits, - and _, with dots between", c.Node)
	case c.embedded() && c.Dir == "":
		return errors.New("jetstream: a folder for the embedded server's store is required")
	case c.Replicas < 0 || c.Replicas > maxReplicas:
		return fmt.Errorf("jetstream: %d replicas: want 0 to %d", c.Replicas, maxReplicas)
	case c.Shards < 0 || c.Shards > maxShards:
		return fmt.Errorf("jetstream: %d shards: want 0 to %d", c.Shards, maxShards)
	case c.Retention != 0 && c.Retention < minRetention:
		return fmt.Errorf("jetstream: retention %v: want at least %v", c.Retention, minRetention)
	}
	return nil
}

// defaultShards is the number of a new cluster.
func (c Config) defaultShards() int {
	if c.embedded() {
		return 1
	}
	return clusterShards
}

func (c Config) withDefaults() Config {
	if c.MaxPending == 0 {
		c.MaxPending = maxPending
	}
	if c.MaxPendingBytes == 0 {
		c.MaxPendingBytes = maxPendingBytes
	}
	if c.Retention == 0 {
		c.Retention = defaultRetention
	}
	if c.GroupAckWait == 0 {
		c.GroupAckWait = defaultAckWait
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
