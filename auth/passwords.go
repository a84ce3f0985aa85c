package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"runtime"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

const (
	// maxVerified is how many right passwords are remembered, at some 50 bytes
	// each.
	maxVerified = 1 << 18
	// passwordWait is how long a password waits for its turn to be hashed. The
	// client of a CONNECT has less patience than that.
	passwordWait = 10 * time.Second
)

// passwords verifies the passwords of logins.
//
// Hashing one takes some 30 ms of a core, by intent. So only as many are hashed
// at a time as leave a core to the rest of the node; those from addresses that
// have failed often wait for one lane of their own, so that guesses do not stand in the way of
// others. A password that was right before is not hashed again: it is known by
// its HMAC under a key that this process has made, which covers the login's
// hash too, and so is forgotten when that changes.
//
// It is safe for concurrent use.
type passwords struct {
	key         [32]byte
	lane        chan struct{} // held by those who hash
	suspectLane chan struct{}
	nobody      phc // what the password of a login that does not exist is held against

	mu       sync.Mutex // guards verified
	verified bounded[[32]byte, struct{}]
}

func newPasswords() *passwords {
	p := &passwords{
		lane:        make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
		suspectLane: make(chan struct{}, 1),
		nobody: phc{
			memory: hashMemory, passes: hashPasses, threads: hashThreads,
			salt: make([]byte, saltBytes), hash: make([]byte, hashBytes),
		},
		verified: newBounded[[32]byte, struct{}](maxVerified),
	}
	_, _ = rand.Read(p.key[:]) // never fails: the program ends instead
	return p
}

// verify says whether a password is the login's, and the login can be used. A
// login that is nil costs as much as any other. It fails with Overloaded if its
// turn does not come in time.
func (p *passwords) verify(ctx context.Context, login *tenant.Login, password []byte, suspect bool) (bool, error) {
	if len(password) > maxPassword {
		return false, nil
	}
	h, usable, mac := &p.nobody, login != nil && login.Enabled, [32]byte{}
	if usable {
		mac = p.mac(login.PasswordHash, password)
		if p.knows(mac) {
			return true, nil
		}
		var err error
		if h, err = parsePHC(login.PasswordHash); err != nil {
			return false, err
		}
	}
	lane, err := p.enter(ctx, suspect)
	if err != nil {
		return false, err
	}
	defer func() { <-lane }()
	if usable && p.knows(mac) { // many devices may have waited with the same one
		return true, nil
	}
	got := h.compute(string(password), len(h.hash))
	if subtle.ConstantTimeCompare(got, h.hash) != 1 || !usable {
		return false, nil
	}
	p.remember(mac)
	return true, nil
}

// enter waits for room in a lane and returns the lane. A suspect takes what
// nobody else wants at the moment, or waits for the other lane.
func (p *passwords) enter(ctx context.Context, suspect bool) (chan struct{}, error) {
	select {
	case p.lane <- struct{}{}:
		return p.lane, nil
	default:
	}
	lane := p.lane
	if suspect {
		lane = p.suspectLane
	}
	timer := time.NewTimer(passwordWait)
	defer timer.Stop()
	select {
	case lane <- struct{}{}:
		return lane, nil
	case <-timer.C:
		return nil, fault.New(fault.Overloaded, "too many passwords wait to be checked")
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Overloaded, "the wait for a password to be checked was given up", ctx.Err())
	}
}

// mac is what a right password is remembered by. The hash has a salt of its
// own, so it stands for the login.
func (p *passwords) mac(hash string, password []byte) (sum [32]byte) {
	m := hmac.New(sha256.New, p.key[:])
	m.Write(binary.BigEndian.AppendUint32(nil, uint32(len(hash)))) //nolint:gosec // a hash has some 100 bytes
	m.Write([]byte(hash))
	m.Write(password)
	m.Sum(sum[:0])
	return sum
}

func (p *passwords) knows(mac [32]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.verified.get(mac)
	return ok
}

func (p *passwords) remember(mac [32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.verified.put(mac, struct{}{})
}
