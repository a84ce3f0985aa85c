package presence

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"
)

var errAnswer = errors.New("presence: Redis gave an answer of an unknown form")

// work sends batches to Redis until the queue is closed and empty.
func (r *Redis) work(ctx context.Context) {
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for batch := r.queue.pop(); len(batch) > 0; batch = r.queue.pop() {
				r.send(ctx, batch)
			}
		})
	}
	all.Wait()
}

// send asks Redis for a batch of one kind and instance.
func (r *Redis) send(ctx context.Context, batch []op) {
	var err error
	switch batch[0].kind {
	case opClaim:
		err = r.claim(ctx, batch)
	case opRelease:
		err = r.release(ctx, batch)
	case opHolder:
		err = r.holder(ctx, batch)
	case opAssert:
		r.assert(ctx, batch[0])
	}
	if err == nil {
		return
	}
	r.fell(err, false)
	for _, o := range batch {
		o.fail(fmt.Errorf("%w: %w", ErrAway, err))
	}
}

func (r *Redis) claim(ctx context.Context, batch []op) error {
	keys, args := r.operands(batch[0].instance, len(batch))
	for _, o := range batch {
		keys, args = append(keys, o.key), append(args, o.number)
	}
	holders, err := r.holders(ctx, claimScript, keys, args)
	if err == nil {
		deal(batch, holders)
	}
	return err
}

func (r *Redis) holder(ctx context.Context, batch []op) error {
	keys, args := r.operands("", len(batch))
	for _, o := range batch {
		keys = append(keys, o.key)
	}
	holders, err := r.holders(ctx, holderScript, keys, args)
	if err == nil {
		deal(batch, holders)
	}
	return err
}

func deal(batch []op, holders []Holder) {
	for i, o := range batch {
		o.done(holders[i], nil)
	}
}

func (r *Redis) release(ctx context.Context, batch []op) error {
	keys, args := make([]string, 0, len(batch)), make([]any, 0, len(batch))
	for _, o := range batch {
		keys, args = append(keys, o.key), append(args, o.number)
	}
	if _, err := r.run(ctx, releaseScript, keys, args); err != nil {
		return err
	}
	for _, o := range batch {
		o.done(Holder{}, nil)
	}
	return nil
}

// assert asks for as many claims as a batch may have, and again for the rest.
func (r *Redis) assert(ctx context.Context, o op) {
	var lost []Claim
	for from := 0; from < len(o.claims); from += maxBatch {
		claims := o.claims[from:min(from+maxBatch, len(o.claims))]
		keys, args := r.operands(o.instance, len(claims))
		for _, c := range claims {
			keys, args = append(keys, r.key(c.Key)), append(args, c.Number)
		}
		answer, err := r.run(ctx, assertScript, keys, args)
		if err != nil {
			r.fell(err, false)
			o.fail(fmt.Errorf("%w: %w", ErrAway, err))
			return
		}
		for _, i := range answer {
			if n, ok := i.(int64); ok && n >= 1 && int(n) <= len(claims) {
				lost = append(lost, claims[n-1])
			}
		}
	}
	o.lost(lost, nil)
}

// operands are the first arguments of the scripts.
func (r *Redis) operands(instance string, n int) (keys []string, args []any) {
	keys, args = make([]string, 0, n), make([]any, 0, n+4)
	return keys, append(args, r.prefix+"node:", lease.Milliseconds(), Lifetime.Milliseconds(), instance)
}

// holders reads an answer of a number and an instance for each key.
func (r *Redis) holders(ctx context.Context, script *redis.Script, keys []string, args []any) ([]Holder, error) {
	answer, err := r.run(ctx, script, keys, args)
	if err != nil {
		return nil, err
	}
	if len(answer) != 2*len(keys) {
		return nil, errAnswer
	}
	holders := make([]Holder, len(keys))
	for i := range holders {
		number, ok := answer[2*i].(string)
		instance, ok2 := answer[2*i+1].(string)
		n, err := strconv.ParseUint(number, 10, 64)
		if !ok || !ok2 || err != nil {
			return nil, errAnswer
		}
		holders[i] = Holder{Instance: instance, Number: n}
	}
	return holders, nil
}

func (r *Redis) run(ctx context.Context, script *redis.Script, keys []string, args []any) ([]any, error) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	answer, err := script.Run(ctx, r.client, keys, args...).Slice()
	if err != nil {
		return nil, err
	}
	return answer, nil
}
