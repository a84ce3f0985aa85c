package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/fault"
)

// expungePatience bounds one question of Expunge: a purge looks at every block
// of a stream that has something of the organization.
const expungePatience = time.Minute

// Expunge erases everything that is kept of an app, or with an empty one of the
// whole organization: logged and retained messages, sessions, wills, events,
// share groups and the count of bytes. Nothing of it may be used any more while
// it works, or it can come back. It can be repeated, and has to be after an
// error, which is broker.ErrUnavailable or that something came in between.
func (b *Bus) Expunge(ctx context.Context, org, app string) error {
	of := subtree(org, app)
	for shard := range b.shards {
		if err := b.expungeGroups(ctx, shard, of); err != nil {
			return err
		}
		if err := b.purge(ctx, streamName(shard), fmt.Sprintf("%s%d.*.%s.>", logPrefix, shard, of)); err != nil {
			return err
		}
	}
	usage := usageOf(org, app)
	for _, one := range []struct{ stream, filter string }{
		{retainedName, retainedPrefix + of},
		{retainedName, retainedPrefix + of + ".>"},
		{bucketStream(sessionsBucket), bucketPrefix(sessionsBucket) + of + ".>"},
		{bucketStream(willsBucket), willsOf("*") + of + ".>"},
		{bucketStream(usageBucket), bucketPrefix(usageBucket) + usage},
		{eventsStream, eventsPrefix + of + ".>"},
	} {
		if err := b.purge(ctx, one.stream, one.filter); err != nil {
			return err
		}
	}
	return nil
}

// subtree is the tokens of an organization or an app.
func subtree(org, app string) string {
	name := org
	if app != "" {
		name += "/" + app
	}
	return string(appendEncoded(nil, name))
}

// usageOf is where the figures of one app are, or those of all.
func usageOf(org, app string) string {
	if app != "" {
		return appUsageKey(org, app)
	}
	prefix, _, _ := strings.Cut(appUsageKey(org, ""), ".")
	return prefix + ".>"
}

// purge erases what matches, and finds out whether it is gone.
func (b *Bus) purge(ctx context.Context, stream, filter string) error {
	ctx, cancel := context.WithTimeout(ctx, expungePatience)
	defer cancel()
	s, err := b.js.Stream(ctx, stream)
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(filter))
	}
	if err != nil {
		return unavailable(fmt.Errorf("erase from %s: %w", stream, err))
	}
	left, err := b.subjects(ctx, stream, filter)
	if err != nil {
		return unavailable(fmt.Errorf("look at %s: %w", stream, err))
	}
	if len(left) > 0 {
		return fault.Newf(fault.Conflict, "%s has %d subjects that came while it was erased", stream, len(left))
	}
	return nil
}

// expungeGroups deletes the consumers of a shard's share groups.
func (b *Bus) expungeGroups(ctx context.Context, shard int, of string) error {
	ctx, cancel := context.WithTimeout(ctx, expungePatience)
	defer cancel()
	s, err := b.js.Stream(ctx, streamName(shard))
	if err != nil {
		return unavailable(fmt.Errorf("share groups: %w", err))
	}
	list := s.ListConsumers(ctx)
	var names []string
	for c := range list.Info() {
		if strings.HasPrefix(c.Name, sharePrefix) && within(c.Config, of) {
			names = append(names, c.Name)
		}
	}
	if err := list.Err(); err != nil {
		return unavailable(fmt.Errorf("share groups: %w", err))
	}
	for _, name := range names {
		if err := s.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return unavailable(fmt.Errorf("share group %s: %w", name, err))
		}
	}
	return nil
}

// within says whether a consumer of the log gets messages below a subtree and
// none besides: log.<shard>.<hour>.<subtree>….
func within(c jetstream.ConsumerConfig, of string) bool {
	filters := c.FilterSubjects
	if c.FilterSubject != "" {
		filters = append(filters, c.FilterSubject)
	}
	for _, filter := range filters {
		parts := strings.SplitN(filter, ".", 4)
		if len(parts) < 4 || !strings.HasPrefix(parts[3]+".", of+".") {
			return false
		}
	}
	return len(filters) > 0
}
