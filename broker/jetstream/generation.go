package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// keyGeneration and a shard is what META knows of the shard's generations.
	keyGeneration     = "generation."
	generationVersion = 1
	// maxGenerations bounds the list. Past it the two oldest count as one.
	maxGenerations = 128
	// reachedPeriod is how often a cluster notes how far the log has come: what
	// was appended since is not missed when a restore takes it away.
	reachedPeriod = 30 * time.Second
)

// lineage is what META says of a shard.
type lineage struct {
	Version int `json:"v"`
	// Created is when the stream was, by its server: another stream of the
	// same name is another generation.
	Created time.Time `json:"created"`
	// Reached is a sequence that the stream is known to have given out.
	Reached     uint64 `json:"reached"`
	Generations []span `json:"generations"`
}

type span struct {
	Number uint64 `json:"number"`
	Start  uint64 `json:"start"`
}

// begin adds a generation that starts behind last.
func (l *lineage) begin(last uint64, created, now time.Time) {
	next := span{Number: uint64(max(now.UnixMilli(), 1)), Start: last + 1}
	if n := len(l.Generations); n > 0 {
		next.Number = max(next.Number, l.Generations[n-1].Number+1)
	}
	// One that starts no lower than a later one cuts nothing that the later
	// one does not.
	l.Generations = slices.DeleteFunc(l.Generations, func(s span) bool { return s.Start >= next.Start })
	l.Generations = append(l.Generations, next)
	if g := l.Generations; len(g) > maxGenerations {
		g[1].Start = min(g[0].Start, g[1].Start)
		l.Generations = g[1:]
	}
	l.Version, l.Created, l.Reached = generationVersion, created, last
}

// broken says that sequences may be given out a second time.
func (l *lineage) broken(last uint64, created time.Time) bool {
	return len(l.Generations) == 0 || !l.Created.Equal(created) || last < l.Reached
}

// generations knows those of every shard.
type generations struct {
	kv jetstream.KeyValue

	mu     sync.Mutex // guards shards
	shards []lineage
}

// Generations are those of a shard, by rising number. What a record says of
// positions is cut by those that came after its own.
func (b *Bus) Generations(shard uint16) []broker.Generation {
	g := &b.generations
	g.mu.Lock()
	defer g.mu.Unlock()
	if int(shard) >= len(g.shards) {
		return nil
	}
	all := make([]broker.Generation, 0, len(g.shards[shard].Generations))
	for _, s := range g.shards[shard].Generations {
		all = append(all, broker.Generation(s))
	}
	return all
}

// open reads the generations of all shards, and begins one where sequences may
// be given out again: where the stream is another one or has less than it had,
// and embedded at every start, because a power cut may have taken the end.
// Nothing may be appended before.
func (g *generations) open(ctx context.Context, js jetstream.JetStream, shards int, alone bool) error {
	g.shards = make([]lineage, shards)
	for shard := range shards {
		s, err := js.Stream(ctx, streamName(shard))
		if err != nil {
			return fmt.Errorf("jetstream: generation of %s: %w", streamName(shard), err)
		}
		info := s.CachedInfo()
		err = g.change(ctx, shard, func(l *lineage) bool {
			if !alone && !l.broken(info.State.LastSeq, info.Created) {
				return false
			}
			l.begin(info.State.LastSeq, info.Created, time.Now())
			return true
		})
		if err != nil {
			return fmt.Errorf("jetstream: generation of %s: %w", streamName(shard), err)
		}
	}
	return nil
}

// change has f change what META says of a shard, if it likes.
func (g *generations) change(ctx context.Context, shard int, f func(*lineage) bool) error {
	key := keyGeneration + strconv.Itoa(shard)
	for {
		var l lineage
		var revision uint64
		entry, err := g.kv.Get(ctx, key)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
		case err != nil:
			return err
		default:
			revision = entry.Revision()
			if err := json.Unmarshal(entry.Value(), &l); err != nil {
				return fmt.Errorf("%s of META: %w", key, err)
			}
			if l.Version != generationVersion {
				return fmt.Errorf("%s of META has version %d and this program knows %d", key, l.Version, generationVersion)
			}
		}
		if f(&l) {
			data, _ := json.Marshal(l) // numbers and a time cannot fail
			if _, err = g.kv.Update(ctx, key, data, revision); isConflict(err) {
				continue // another node was faster
			}
			if err != nil {
				return err
			}
		}
		g.mu.Lock()
		g.shards[shard] = l
		g.mu.Unlock()
		return nil
	}
}

// noteReached notes what the log has reached, until ctx ends.
func (b *Bus) noteReached(ctx context.Context) {
	for wait(ctx, reachedPeriod) {
		b.noteReachedNow(ctx)
	}
}

func (b *Bus) noteReachedNow(ctx context.Context) {
	for shard := range b.heads {
		seq := b.heads[shard].settled.Load()
		b.generations.mu.Lock()
		known := seq <= b.generations.shards[shard].Reached
		b.generations.mu.Unlock()
		if known {
			continue
		}
		err := b.generations.change(ctx, shard, func(l *lineage) bool {
			higher := seq > l.Reached
			l.Reached = max(l.Reached, seq)
			return higher
		})
		if err != nil && ctx.Err() == nil {
			b.cfg.Logger.Warn("what the log has reached is not noted", slog.Int("shard", shard), slog.Any("error", err))
		}
	}
}
