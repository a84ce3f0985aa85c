package cli_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/device"
)

func TestPushArrives(t *testing.T) {
	t.Parallel()
	acme := found(t, serve(t, serveArgs(t.TempDir())...), "acme")
	phone := acme.user(t, "phone-1", "ana")
	for i := range 20 {
		phone.expect(t, acme.push(t, "ana", fmt.Sprint("push ", i)))
	}
}

func TestOverWebSocket(t *testing.T) {
	t.Parallel()
	acme := found(t, serve(t, serveArgs(t.TempDir())...), "acme")
	acme.places["MQTT"] = acme.places["MQTT/WS"]
	phone := acme.user(t, "browser-1", "ana")
	phone.expect(t, acme.push(t, "ana", "Hello"))
}

// A device that may not come in learns it by CONNACK 4 or 5, and the server
// goes on.
func TestBadConnects(t *testing.T) {
	t.Parallel()
	s := serve(t, serveArgs(t.TempDir())...)
	acme, globex := found(t, s, "acme"), found(t, s, "globex")
	claim := func(name string, value any) func(*jwt.Token) {
		return func(token *jwt.Token) {
			token.Claims.(jwt.MapClaims)[name] = value
		}
	}
	header := func(name string, value any) func(*jwt.Token) {
		return func(token *jwt.Token) { token.Header[name] = value }
	}
	fine := acme.sign(t, func(*jwt.Token) {})
	wrongKey := party{server: s, app: acme.app}
	wrongKey.app.SigningKey.Secret = rand.Text() + rand.Text()
	tests := []struct{ name, username, token string }{
		{"wrong key", "acme/chat", wrongKey.sign(t, func(*jwt.Token) {})},
		{"expired", "acme/chat", acme.sign(t, claim("exp", time.Now().Add(-time.Minute).Unix()))},
		{"no expiry", "acme/chat", acme.sign(t, claim("exp", nil))},
		{"lives too long", "acme/chat", acme.sign(t, claim("exp", time.Now().Add(31*24*time.Hour).Unix()))},
		{"not yet", "acme/chat", acme.sign(t, claim("nbf", time.Now().Add(time.Hour).Unix()))},
		{"alg none", "acme/chat", acme.sign(t, func(token *jwt.Token) {
			token.Method = jwt.SigningMethodNone
			token.Header["alg"] = "none"
		})},
		{"another algorithm", "acme/chat", acme.sign(t, func(token *jwt.Token) {
			token.Method = jwt.SigningMethodHS512
			token.Header["alg"] = "HS512"
		})},
		{"unsigned", "acme/chat", fine[:len(fine)-43]},
		{"no JWT", "acme/chat", "secret"},
		{"empty password", "acme/chat", ""},
		{"unknown kid", "acme/chat", acme.sign(t, header("kid", "sk_00000000000000000000000000"))},
		{"kid of another app", "acme/chat", acme.sign(t, header("kid", globex.app.SigningKey.Kid))},
		{"no kid", "acme/chat", acme.sign(t, func(token *jwt.Token) { delete(token.Header, "kid") })},
		{"another organization", "globex/chat", fine},
		{"no such app", "acme/shop", fine},
		{"no app", "acme", fine},
		{"user with a slash", "acme/chat", acme.sign(t, claim("sub", "ana/bob"))},
		{"user with a plus", "acme/chat", acme.sign(t, claim("sub", "+"))},
		{"user with a hash", "acme/chat", acme.sign(t, claim("sub", "#"))},
		{"user with NUL", "acme/chat", acme.sign(t, claim("sub", "a\x00b"))},
		{"no user", "acme/chat", acme.sign(t, claim("sub", ""))},
		{"another device", "acme/chat", acme.sign(t, claim("device", "phone-2"))},
		{"claims that are not understood", "acme/chat", acme.sign(t, claim("acl", []any{}))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := device.Connect(t.Context(), device.Options{
				URL: s.places["MQTT"], ClientID: "phone-1", Username: tt.username, Token: tt.token,
			})
			var refusal *device.RefusedError
			if !errors.As(err, &refusal) || refusal.Code != 4 && refusal.Code != 5 {
				t.Errorf("got %v, want CONNACK 4 or 5", err)
			}
		})
	}
	acme.dial(t, "phone-1", fine) // the server goes on
}

// TestWall is the list of ways out of an organization.
func TestWall(t *testing.T) {
	t.Parallel()
	s := serve(t, serveArgs(t.TempDir())...)
	acme, globex := found(t, s, "acme"), found(t, s, "globex")
	spy := acme.user(t, "spy-1", "ana")
	for _, filter := range []string{
		"globex/#", "+/chat/#", "#", "/#", "+/#", "$share/g/globex/x", "$queue/globex/#", "$local/globex/#",
		"globex/chat/users/eve/#", "+/+/users/eve/#", "acme", "$SYS/#", "acme/chat/users/bob/#", "acme/#", "acme/chat/#",
	} {
		var refusal *device.RefusedError
		if err := spy.Subscribe(t.Context(), filter, 1); !errors.As(err, &refusal) || refusal.Code != 0x80 {
			t.Errorf("%s: got %v, want SUBACK 0x80", filter, err)
		}
	}
	// What eve's device gets next is her push: the message from acme, sent
	// before it, has reached no one. The connection may or may not survive.
	eve := globex.user(t, "phone-1", "eve")
	for qos := range byte(2) {
		if err := spy.Publish(t.Context(), "globex/chat/users/eve/x", qos, "spam"); err != nil {
			t.Logf("the connection ended: %v", err)
		}
	}
	eve.expect(t, globex.push(t, "eve", "real"))
	ana := acme.user(t, "phone-2", "ana")
	accepted := acme.push(t, "ana", "fine")
	ana.expect(t, accepted)
}

func TestSameClientIDOfAnotherUser(t *testing.T) {
	t.Parallel()
	acme := found(t, serve(t, serveArgs(t.TempDir())...), "acme")
	ana := acme.user(t, "phone-1", "ana")
	bob := acme.user(t, "phone-1", "bob")
	forAna, forBob := acme.push(t, "ana", "for ana"), acme.push(t, "bob", "for bob")
	bob.expect(t, forBob)
	ana.expect(t, forAna)
	if again := acme.user(t, "phone-1", "ana"); again != nil {
		select {
		case <-ana.lost: // her own second connection does take over
		case <-time.After(patience):
			t.Error("a client id of one user serves two connections")
		}
	}
	bob.expect(t, acme.push(t, "bob", "still here"))
}

func TestGarbage(t *testing.T) {
	t.Parallel()
	acme := found(t, serve(t, serveArgs(t.TempDir())...), "acme")
	phone := acme.user(t, "phone-1", "ana")
	mqtt, err := url.Parse(acme.places["MQTT"])
	if err != nil {
		t.Fatal(err)
	}
	for _, bytes := range []string{
		"GET / HTTP/1.1\r\n\r\n",
		"\x00\x00",
		"\xf0\xff\xff\xff\xff\x7f",
		"\x10\x0c\x00\x04MQTT\x04\xff\x00\x3c\x00\x00",
		"\x30\x05\x00\x03a/b",
	} {
		conn, err := net.Dial("tcp", mqtt.Host)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := conn.Write([]byte(bytes)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 100)); err == nil {
			t.Errorf("%q is answered with %d bytes", bytes, n)
		} else if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%q: the connection stays open", bytes)
		}
		_ = conn.Close()
	}
	phone.expect(t, acme.push(t, "ana", "The server goes on"))
}
