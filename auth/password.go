package auth

import (
	"crypto/rand"
	"crypto/subtle"

	"github.com/fanfare-mq/fanfare/fault"
)

// The cost of a password hash: OWASP's recommendation for argon2id, some 30 ms
// of one core.
const (
	hashMemory  = 19 << 10 // KiB, held while one password is hashed
	hashPasses  = 2
	hashThreads = 1
	saltBytes   = 16
	hashBytes   = 32

	// maxPassword is the longest password in bytes that is hashed.
	maxPassword = 1024
)

// Hashing one password needs 19 MiB, so the number hashed at a time is
// bounded, and so is the queue: this many take a second or two, and who
// comes later is better told to come back.
const (
	hashesAtOnce  = 4
	hashesWaiting = 64
)

// hashing is shared by the whole process because its memory is.
var hashing = gate{
	tickets: make(chan struct{}, hashesAtOnce+hashesWaiting),
	slots:   make(chan struct{}, hashesAtOnce),
}

// gate lets a few through at a time, a bounded number wait, and sends the rest
// away.
type gate struct {
	tickets chan struct{} // held by those inside and those who wait
	slots   chan struct{} // held by those inside
}

// pass runs work inside the gate.
func (g *gate) pass(work func()) error {
	select {
	case g.tickets <- struct{}{}:
	default:
		return fault.New(fault.TooManyRequests, "too many passwords are being checked; try again in a moment")
	}
	defer func() { <-g.tickets }()
	g.slots <- struct{}{}
	defer func() { <-g.slots }()
	work()
	return nil
}

// HashPassword returns what is kept of a password. It fails with
// TooManyRequests when too many are being hashed.
func HashPassword(pw string) (string, error) {
	if len(pw) > maxPassword {
		return "", fault.Newf(fault.Invalid, "must have at most %d bytes", maxPassword)
	}
	h := phc{memory: hashMemory, passes: hashPasses, threads: hashThreads, salt: make([]byte, saltBytes)}
	_, _ = rand.Read(h.salt) // never fails: the program ends instead
	if err := hashing.pass(func() { h.hash = h.compute(pw, hashBytes) }); err != nil {
		return "", err
	}
	return h.String(), nil
}

// VerifyPassword says whether a password is the one that was hashed. It fails
// with TooManyRequests when too many are being hashed.
func VerifyPassword(hash, pw string) (bool, error) {
	h, err := parsePHC(hash)
	if err != nil {
		return false, err
	}
	if len(pw) > maxPassword {
		return false, nil
	}
	var got []byte
	if err := hashing.pass(func() { got = h.compute(pw, len(h.hash)) }); err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, h.hash) == 1, nil
}

// VerifyNobody takes as long as VerifyPassword and says nothing: for an
// account that does not exist, so that the time of the answer does not tell.
func VerifyNobody(pw string) error {
	nobody := phc{
		memory: hashMemory, passes: hashPasses, threads: hashThreads,
		salt: make([]byte, saltBytes), hash: make([]byte, hashBytes),
	}
	_, err := VerifyPassword(nobody.String(), pw)
	return err
}
