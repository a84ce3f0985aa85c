package auth_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// errAway is what the source answers while it is away.
var errAway = fault.New(fault.Unavailable, "the database does not answer")

// source is an auth.Source in memory that counts, fails and hangs on demand.
type source struct {
	mu       sync.Mutex
	entries  map[string]tenant.Entry
	keys     map[[32]byte]tenant.APIKey
	sessions map[[32]byte]tenant.SignIn
	logins   map[string]tenant.Login // by MQTT user name
	revoked  map[string]map[tenant.RevocationID]tenant.Revocation
	reads    int
	failure  error         // what every read answers, if not nil
	hold     chan struct{} // reads wait until it is closed, if not nil
}

func newSource(entries ...tenant.Entry) *source {
	s := &source{
		entries:  make(map[string]tenant.Entry),
		keys:     make(map[[32]byte]tenant.APIKey),
		sessions: make(map[[32]byte]tenant.SignIn),
		logins:   make(map[string]tenant.Login),
		revoked:  make(map[string]map[tenant.RevocationID]tenant.Revocation),
	}
	for _, e := range entries {
		s.set(e)
	}
	return s
}

// set adds or replaces an app.
func (s *source) set(e tenant.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[e.App.TopicPrefix()] = e
}

func (s *source) remove(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, prefix)
}

// fail makes every read answer err, or none if it is nil.
func (s *source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

// hang makes reads wait until the returned function is called.
func (s *source) hang() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hold := make(chan struct{})
	s.hold = hold
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.hold == hold {
			s.hold = nil
		}
		close(hold)
	}
}

// count returns how often the source was read since the last call.
func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.reads
	s.reads = 0
	return n
}

// read looks something up first and then waits, as a slow answer does: what it
// returns may be old by then.
func read[T any](ctx context.Context, s *source, look func() (T, bool)) (T, error) {
	s.mu.Lock()
	s.reads++
	v, ok := look()
	failure, hold := s.failure, s.hold
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			failure = fault.Wrap(fault.Unavailable, "the database does not answer", ctx.Err())
		}
	}
	switch {
	case failure != nil:
		return *new(T), failure
	case !ok:
		return *new(T), fault.New(fault.NotFound, "no such thing")
	}
	return v, nil
}

func (s *source) Entry(ctx context.Context, org, app string) (tenant.Entry, error) {
	return read(ctx, s, func() (tenant.Entry, bool) {
		e, ok := s.entries[org+"/"+app]
		return e, ok
	})
}

func (s *source) EntryByKID(ctx context.Context, kid string) (tenant.Entry, error) {
	return read(ctx, s, func() (tenant.Entry, bool) {
		for _, e := range s.entries {
			for _, k := range e.SigningKeys {
				if k.KID == kid {
					return e, true
				}
			}
		}
		return tenant.Entry{}, false
	})
}

func (s *source) APIKeyByHash(ctx context.Context, hash [32]byte) (tenant.APIKey, error) {
	return read(ctx, s, func() (tenant.APIKey, bool) {
		k, ok := s.keys[hash]
		return k, ok
	})
}

func (s *source) SessionByHash(ctx context.Context, hash [32]byte, _ time.Time) (tenant.SignIn, error) {
	return read(ctx, s, func() (tenant.SignIn, bool) {
		m, ok := s.sessions[hash]
		return m, ok
	})
}

func (s *source) Login(ctx context.Context, org, app, username string) (tenant.Login, error) {
	return read(ctx, s, func() (tenant.Login, bool) {
		l, ok := s.logins[org+"/"+app+"/"+username]
		return l, ok
	})
}

func (s *source) CertificatesBySubject(ctx context.Context, hash [32]byte) ([]tenant.Certificate, error) {
	return read(ctx, s, func() ([]tenant.Certificate, bool) {
		var found []tenant.Certificate
		for _, e := range s.entries {
			for _, c := range e.Certificates {
				if c.SubjectHash == hash {
					found = append(found, c)
				}
			}
		}
		return found, len(found) > 0
	})
}

func (s *source) Revocation(ctx context.Context, org, app string, id tenant.RevocationID) (tenant.Revocation, error) {
	return read(ctx, s, func() (tenant.Revocation, bool) {
		r, ok := s.revoked[org+"/"+app][id]
		return r, ok
	})
}

func (s *source) Revocations(
	ctx context.Context, org, app string, after tenant.RevocationID, limit int,
) ([]tenant.Revocation, error) {
	return read(ctx, s, func() ([]tenant.Revocation, bool) {
		var page []tenant.Revocation
		for id, r := range s.revoked[org+"/"+app] {
			if cmp.Or(cmp.Compare(id.Kind, after.Kind), cmp.Compare(id.Subject, after.Subject)) > 0 {
				page = append(page, r)
			}
		}
		slices.SortFunc(page, func(a, b tenant.Revocation) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject))
		})
		return page[:min(limit, len(page))], true
	})
}

// revoke keeps a revocation of acme/chat.
func (s *source) revoke(kind tenant.RevocationKind, subject string, issuedBefore time.Time) tenant.RevocationID {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := tenant.RevocationID{Kind: kind, Subject: subject}
	if s.revoked["acme/chat"] == nil {
		s.revoked["acme/chat"] = make(map[tenant.RevocationID]tenant.Revocation)
	}
	s.revoked["acme/chat"][id] = tenant.Revocation{Organization: "acme", App: "chat", RevocationID: id, IssuedBefore: issuedBefore}
	return id
}

// lift takes a revocation of acme/chat away.
func (s *source) lift(id tenant.RevocationID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.revoked["acme/chat"], id)
}

var _ auth.Source = (*source)(nil)

// testSecret is the secret of the signing key of an app that entry makes.
func testSecret(org, app string) string { return "a secret of 32 bytes or more, of " + org + "/" + app }

// testKID is its kid.
func testKID(org, app string) string { return "sk_" + org + "_" + app }

// entry makes an app with one signing key and some rules.
func entry(org, app string, rules ...tenant.Rule) tenant.Entry {
	return tenant.Entry{
		App: tenant.App{Organization: org, ID: app},
		SigningKeys: []tenant.SigningKey{{
			KID: testKID(org, app), Organization: org, App: app,
			Algorithm: tenant.HS256, Secret: testSecret(org, app),
		}},
		ACL: tenant.ACL{Rules: rules},
	}
}

// rule makes a rule for everyone.
func rule(effect tenant.Effect, action tenant.Action, topic string) tenant.Rule {
	return tenant.Rule{Effect: effect, Action: action, Topic: topic, Who: tenant.Who{Everyone: true}}
}

// wantFault checks an error's code and, if it is given, its field.
func wantFault(t *testing.T, err error, code fault.Code, field ...string) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("got %v (code %q), want %q", err, fault.CodeOf(err), code)
		return
	}
	f, _ := errors.AsType[*fault.Error](err)
	if len(field) > 0 && (f == nil || f.Field != field[0]) {
		t.Errorf("got %#v, want it to point at %q", err, field[0])
	}
}

// lookUp returns an app that has to be there.
func lookUp(t *testing.T, d *auth.Directory, org, app string) *auth.App {
	t.Helper()
	a, err := d.App(t.Context(), org, app)
	if err != nil {
		t.Fatalf("app %s/%s: %v", org, app, err)
	}
	return a
}
