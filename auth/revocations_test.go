package auth_test

import (
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// claimed is a token of ana's at noon with more claims.
func claimed(t testing.TB, claims map[string]any) string {
	t.Helper()
	return token{claims: claims}.text(t)
}

// told tells the directory of a revocation.
func (s *source) told(d *auth.Directory, id tenant.RevocationID) {
	d.Invalidate("acme", id.Change("chat"))
}

// TestRevocations: what is revoked does not connect, and what is not does.
func TestRevocations(t *testing.T) {
	iat := func(d time.Duration) map[string]any {
		return map[string]any{"jti": "one", "iat": noon.Add(d).Unix()}
	}
	half := 500 * time.Millisecond
	for name, test := range map[string]struct {
		kind    tenant.RevocationKind
		subject string
		until   time.Time
		claims  map[string]any
		revoked bool
	}{
		"the token":                     {tenant.RevokedToken, "one", time.Time{}, iat(0), true},
		"another token":                 {tenant.RevokedToken, "two", time.Time{}, iat(0), false},
		"a token without a name":        {tenant.RevokedToken, "", time.Time{}, map[string]any{}, false},
		"a user of the token's name":    {tenant.RevokedUser, "one", noon, iat(0), false},
		"the user, long ago":            {tenant.RevokedUser, "ana", noon.Add(-time.Minute), iat(0), false},
		"the user, issued before":       {tenant.RevokedUser, "ana", noon.Add(half), iat(-time.Second), true},
		"the user, in the same second":  {tenant.RevokedUser, "ana", noon.Add(half), iat(0), true},
		"the user, on the second":       {tenant.RevokedUser, "ana", noon, iat(0), true},
		"the user, in the next second":  {tenant.RevokedUser, "ana", noon.Add(half), iat(time.Second), false},
		"the user, nobody knows when":   {tenant.RevokedUser, "ana", noon.Add(-time.Hour), map[string]any{}, true},
		"the device, issued before":     {tenant.RevokedDevice, "phone-1", noon, iat(0), true},
		"the device, issued after":      {tenant.RevokedDevice, "phone-1", noon, iat(time.Second), false},
		"another device":                {tenant.RevokedDevice, "phone-2", noon, iat(0), false},
		"another user":                  {tenant.RevokedUser, "bo", noon, iat(0), false},
		"a user of the device's name":   {tenant.RevokedUser, "phone-1", noon, iat(0), false},
		"the device that a token names": {tenant.RevokedDevice, "phone-1", noon, map[string]any{"device": "phone-1"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			v, src := newDevices(t)
			src.revoke(test.kind, test.subject, test.until)
			_, err := connect(t, v, "acme/chat", claimed(t, test.claims))
			if test.revoked {
				wantFault(t, err, fault.Unauthenticated)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRevocationsAreAnApps: another app's are its own.
func TestRevocationsAreAnApps(t *testing.T) {
	v, src := newDevices(t)
	src.revoke(tenant.RevokedUser, "ana", noon)
	for app, wants := range map[string]fault.Code{"acme/chat": fault.Unauthenticated, "acme/shop": "", "globex/chat": ""} {
		org, id := app[:len(app)-5], app[len(app)-4:]
		text := token{secret: testSecret(org, id), header: map[string]any{"kid": testKID(org, id)}}.text(t)
		if _, err := connect(t, v, app, text); fault.CodeOf(err) != wants {
			t.Errorf("%s: %v", app, err)
		}
	}
}

// TestRevocationReachesDevices: those who are connected see it once it is told
// of, a token that was seen before is no exception, and it can be lifted.
func TestRevocationReachesDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(entry("acme", "chat"))
		dir := auth.NewDirectory(src, time.Now)
		v := auth.NewDevices(dir, time.Now)
		in := func(jti, user string) (*auth.Device, error) {
			return connect(t, v, "acme/chat", claimed(t, map[string]any{
				"jti": jti, "sub": user, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
			}))
		}
		ana, err := in("one", "ana")
		if err != nil {
			t.Fatal(err)
		}
		bo, err := in("two", "bo")
		if err != nil {
			t.Fatal(err)
		}
		before := dir.Changes()
		id := src.revoke(tenant.RevokedToken, "one", time.Time{})
		src.told(dir, id)
		synctest.Wait()
		if !ana.Revoked() || bo.Revoked() || dir.Changes() == before {
			t.Error("the token is revoked, and its device does not know, or another is")
		}
		_, err = in("one", "ana")
		wantFault(t, err, fault.Unauthenticated)
		src.lift(id)
		src.told(dir, id)
		synctest.Wait()
		if _, err := in("one", "ana"); err != nil || ana.Revoked() {
			t.Errorf("lifted: %v", err)
		}
		src.told(dir, src.revoke(tenant.RevokedUser, "bo", time.Now()))
		synctest.Wait()
		if ana.Revoked() || !bo.Revoked() {
			t.Error("the user is revoked")
		}
	})
}

// TestRevocationOfLogins: who has connected before it is signed out, and may
// connect again.
func TestRevocationOfLogins(t *testing.T) {
	v, src := newDevices(t)
	src.setLogin(t, "acme/chat/robot")
	d, err := connect(t, v, "acme/chat/robot", loginPassword)
	if err != nil {
		t.Fatal(err)
	}
	for until, revoked := range map[time.Time]bool{noon.Add(-time.Microsecond): false, noon: true} {
		again, src := newDevices(t)
		src.setLogin(t, "acme/chat/robot")
		src.revoke(tenant.RevokedUser, "user-of-robot", until)
		if _, err := connect(t, again, "acme/chat/robot", loginPassword); (err != nil) != revoked {
			t.Errorf("until %v: %v", until, err)
		}
	}
	if d.Revoked() {
		t.Error("of another directory")
	}
}

// TestRevocationsWhileTheSourceIsAway: what is known serves; what is not is no
// reason to let anybody in.
func TestRevocationsWhileTheSourceIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(entry("acme", "chat"))
		dir := auth.NewDirectory(src, time.Now)
		v := auth.NewDevices(dir, time.Now)
		text := func(jti string) string {
			return claimed(t, map[string]any{"jti": jti, "exp": time.Now().Add(time.Hour).Unix()})
		}
		lookUp(t, dir, "acme", "chat") // the app is known, its revocations are not
		src.revoke(tenant.RevokedToken, "one", time.Time{})
		src.fail(errAway)
		_, err := connect(t, v, "acme/chat", text("two"))
		wantFault(t, err, fault.Unavailable)
		src.fail(nil)
		if _, err := connect(t, v, "acme/chat", text("two")); err != nil {
			t.Fatal(err)
		}
		src.fail(errAway)
		id := src.revoke(tenant.RevokedToken, "two", time.Time{})
		src.told(dir, id) // which cannot be read now
		time.Sleep(30 * time.Second)
		d, err := connect(t, v, "acme/chat", text("two"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = connect(t, v, "acme/chat", text("one"))
		wantFault(t, err, fault.Unauthenticated)
		src.fail(nil)
		time.Sleep(6 * time.Second) // it is tried again by itself
		synctest.Wait()
		if !d.Revoked() {
			t.Error("the source is back, and the revocation is not known")
		}
	})
}

// TestRevocationsAreReadOneByOne: of very many, those that are new. One that is
// told of while all are being read is read after them: it may not be among them.
func TestRevocationsAreReadOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(entry("acme", "chat"))
		dir := auth.NewDirectory(src, time.Now)
		v := auth.NewDevices(dir, time.Now)
		exp := map[string]any{"jti": "new", "exp": time.Now().Add(time.Hour).Unix()}
		lookUp(t, dir, "acme", "chat")
		src.count()
		release := src.hang()
		var waits sync.WaitGroup
		var d *auth.Device
		waits.Go(func() { d, _ = connect(t, v, "acme/chat", claimed(t, exp)) }) // in or not, as it happens
		synctest.Wait()
		src.told(dir, src.revoke(tenant.RevokedToken, "new", time.Time{}))
		synctest.Wait()
		release()
		waits.Wait()
		synctest.Wait()
		if _, err := connect(t, v, "acme/chat", claimed(t, exp)); err == nil || d != nil && !d.Revoked() {
			t.Error("what was told of during the first read is lost")
		}
		wantReads(t, src, 2)
		for range 10 {
			src.told(dir, src.revoke(tenant.RevokedToken, "another", time.Time{}))
			synctest.Wait()
		}
		wantReads(t, src, 10)
		time.Sleep(11 * time.Minute)
		_, _ = connect(t, v, "acme/chat", claimed(t, exp))
		synctest.Wait()
		wantReads(t, src, 2) // all of them, and the app
	})
}

// TestTokenAfterRevocation: what is issued after a revocation, in the same
// second, is not worth nothing.
func TestTokenAfterRevocation(t *testing.T) {
	for _, req := range []auth.TokenRequest{{User: "ana", TTL: time.Hour}, {User: "eve", Device: "phone-1", TTL: time.Hour}} {
		src := newSource(entry("acme", "chat"))
		now := noon.Add(300 * time.Millisecond)
		src.revoke(tenant.RevokedUser, "ana", now.Add(-time.Millisecond))
		src.revoke(tenant.RevokedDevice, "phone-1", now.Add(-time.Millisecond))
		dir := auth.NewDirectory(src, func() time.Time { return now })
		v := auth.NewDevices(dir, func() time.Time { return now })
		issued, err := auth.IssueToken(t.Context(), lookUp(t, dir, "acme", "chat"), req, now)
		if err != nil {
			t.Fatal(err)
		}
		c := auth.Credentials{ClientID: "phone-1", Username: "acme/chat", Password: []byte(issued.Text)}
		if req.Device == "" {
			c.ClientID = "phone-2" // of which nothing is revoked
		}
		if _, err := v.Authenticate(t.Context(), c); err != nil {
			t.Errorf("%+v: %v", req, err)
		}
	}
}

// BenchmarkRevoked is one look at a connection, of an app with as many
// revocations as it may have.
func BenchmarkRevoked(b *testing.B) {
	src := newSource(entry("acme", "chat"))
	for i := range tenant.MaxRevocations {
		src.revoke(tenant.RevokedToken, strconv.Itoa(i), time.Time{})
	}
	d, err := connect(b, auth.NewDevices(auth.NewDirectory(src, atNoon), atNoon), "acme/chat", claimed(b, map[string]any{"jti": "one"}))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if d.Revoked() {
			b.Fatal("revoked")
		}
	}
}
