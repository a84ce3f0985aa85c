package presence

import (
	"crypto/sha256"
	"encoding/hex"
)

// maxKey is the longest session key that is a Redis key as it is; longer ones,
// which the longest client identifiers make, are told by their digest.
const maxKey = 256

func (r *Redis) key(session string) string {
	if len(session) > maxKey {
		digest := sha256.Sum256([]byte(session))
		session = "sha256:" + hex.EncodeToString(digest[:])
	}
	return r.prefix + "claim:" + session
}

func (r *Redis) node(instance string) string { return r.prefix + "node:" + instance }

// Claim makes instance the holder of key; fn gets the claim's number and the
// instance that held the key before, if it lives.
func (r *Redis) Claim(key, instance string, fn func(number uint64, former string, err error)) {
	if last := r.instance.Load(); last == nil || *last != instance {
		name := instance // a parameter whose address is taken is on the heap at every call
		r.leased.Store(false)
		r.instance.Store(&name)
	}
	r.ask(op{kind: opClaim, key: r.key(key), instance: instance, number: r.clock.Next(), done: func(a Holder, err error) {
		r.clock.Hear(a.Number)
		fn(a.Number, a.Instance, err)
	}})
}

// Release gives a claim back.
func (r *Redis) Release(key string, number uint64) {
	r.ask(op{kind: opRelease, key: r.key(key), number: number, done: func(Holder, error) {}})
}

// Holder tells who holds key, of the instances that live.
func (r *Redis) Holder(key string, fn func(Holder, error)) {
	r.ask(op{kind: opHolder, key: r.key(key), done: fn})
}

// Assert says again what instance holds, which also keeps it known; fn gets the
// claims that another holds by now. The slice must not be changed until then.
func (r *Redis) Assert(instance string, claims []Claim, fn func(lost []Claim, err error)) {
	if len(claims) == 0 {
		fn(nil, nil)
		return
	}
	r.ask(op{kind: opAssert, instance: instance, claims: claims, lost: fn})
}

// Hear takes note of a number that another claim has.
func (r *Redis) Hear(number uint64) { r.clock.Hear(number) }

// ask queues an operation, or fails it when Redis is away.
func (r *Redis) ask(o op) {
	if !r.Up() {
		o.fail(ErrAway)
		return
	}
	if err := r.queue.push(o); err != nil {
		o.fail(err)
	}
}
