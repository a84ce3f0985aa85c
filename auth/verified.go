package auth

import (
	"context"
	"crypto/sha256"
	"sync"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// maxSeen is how many tokens are remembered, and maxSeenToken the longest of
	// them in bytes: together some 16 MB.
	maxSeen      = 1 << 14
	maxSeenToken = 1 << 10
)

// verified is a token whose signature was verified. A fleet that comes back after
// a network failure brings the tokens that it had, and to read one costs more
// than all the rest of an authentication.
type verified struct {
	by     *verifier
	claims *claims
}

// seenTokens remembers tokens by their digests. It is safe for concurrent use.
type seenTokens struct {
	mu   sync.Mutex // guards seen
	seen bounded[[sha256.Size]byte, verified]
}

func newSeenTokens() *seenTokens {
	return &seenTokens{seen: newBounded[[sha256.Size]byte, verified](maxSeen)}
}

func (s *seenTokens) find(token []byte) (verified, bool) {
	if len(token) > maxSeenToken {
		return verified{}, false
	}
	digest := sha256.Sum256(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.get(digest)
}

func (s *seenTokens) keep(token []byte, p verified) {
	if len(token) > maxSeenToken {
		return
	}
	digest := sha256.Sum256(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.put(digest, p)
}

// verify verifies a token and says which app it is for. One that was verified
// before is so again as long as the app has the key that did it; its times are
// looked at every time.
func (v *Devices) verify(ctx context.Context, c *Credentials) (*App, verified, error) {
	if p, ok := v.seen.find(c.Password); ok {
		app, err := v.app(ctx, c.Username, p.by.kid)
		if err != nil {
			return nil, p, err
		}
		if key := app.verifiers().current(p.by, v.now()); key != nil {
			p.by = key
			return app, p, explain(v.validator.Validate(p.claims))
		}
	}
	var app *App
	var refused error
	p := verified{claims: new(claims)}
	_, err := v.parser.ParseWithClaims(string(c.Password), p.claims, func(t *jwt.Token) (any, error) {
		if app, p.by, refused = v.key(ctx, c.Username, t); refused != nil {
			return nil, refused
		}
		return p.by.key, nil
	})
	switch {
	case refused != nil:
		return nil, p, refused
	case err != nil:
		return nil, p, explain(err)
	case p.by.expired(v.now()):
		return nil, p, fault.Newf(fault.TokenExpired, "the token's signing key %q has expired", p.by.kid)
	}
	v.seen.keep(c.Password, p)
	return app, p, nil
}
