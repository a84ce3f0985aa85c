package jetstream

import (
	"context"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// Usage tells what an organization has. Sessions and retained messages that are
// gone count until their markers are, a minute later; bytes that another node
// has written count a minute later at most, if nothing limits them.
func (b *Bus) Usage(ctx context.Context, org string) (broker.Usage, error) {
	type answer struct {
		usage broker.Usage
		err   error
	}
	answered := make(chan answer, 1)
	ok := b.scanners.offer(org, func(running context.Context, a *asker) {
		if a == nil {
			answered <- answer{err: errClosed}
			return
		}
		running, cancel := context.WithTimeout(running, askPatience)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		usage, err := b.askUsage(running, org)
		answered <- answer{usage, err}
	})
	if !ok {
		return broker.Usage{}, b.refusal()
	}
	select {
	case got := <-answered:
		if got.err != nil {
			return broker.Usage{}, unavailable(got.err)
		}
		return got.usage, nil
	case <-ctx.Done():
		return broker.Usage{}, unavailable(ctx.Err())
	}
}

func (b *Bus) askUsage(ctx context.Context, org string) (usage broker.Usage, err error) {
	sessions := string(appendEncoded([]byte(bucketPrefix(sessionsBucket)), org)) + ".>"
	if usage.Sessions, err = b.countSubjects(ctx, bucketStream(sessionsBucket), sessions); err != nil {
		return usage, err
	}
	filters, err := filterSubjects(retainedPrefix, org+"/#")
	if err != nil {
		return usage, err
	}
	for _, filter := range filters {
		n, err := b.countSubjects(ctx, retainedName, filter)
		if err != nil {
			return usage, err
		}
		usage.Retained += n
	}
	usage.LogBytes, err = b.logBytes(ctx, org)
	return usage, err
}

// logBytes adds what only this node knows of to what is written.
func (b *Bus) logBytes(ctx context.Context, org string) (int64, error) {
	accounts := b.appender.accounts
	if accounts == nil {
		return 0, nil
	}
	written := &books{kv: b.usage}
	held, _, err := written.read(ctx, usageKey(&account{org: org}), time.Now())
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, bytes := range held {
		sum += bytes
	}
	return sum + accounts.unwritten(org), nil
}

// unwritten are the bytes of an organization that are in no book yet.
func (a *accounts) unwritten(org string) (sum int64) {
	a.mu.RLock()
	o := a.all[org+organizationMark]
	a.mu.RUnlock()
	if o == nil {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, bytes := range o.unwritten {
		sum += bytes
	}
	return sum
}
