package cli_test

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/internal/testenv"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// wire5 is an MQTT 5.0 connection that sees reason codes.
type wire5 struct {
	net.Conn

	t   *testing.T
	buf []byte
}

// hello5 connects with MQTT 5.0 and returns the CONNACK's reason.
func (p party) hello5(t *testing.T, clientID, username, password string) (*wire5, packet.ReasonCode) {
	t.Helper()
	at, err := url.Parse(p.places["MQTT"])
	if err != nil {
		t.Fatal(err)
	}
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	w := &wire5{Conn: conn, t: t}
	w.send(packet.Connect{
		Version: packet.V5, Clean: true, ClientID: clientID, KeepAlive: 60,
		HasUsername: true, Username: username, HasPassword: true, Password: []byte(password),
	}.Append(nil))
	var ack packet.Connack
	if err := ack.Decode(w.next(packet.CONNACK, patience)); err != nil {
		t.Fatal(err)
	}
	return w, ack.Reason
}

// in5 is hello5 of one who has to get in.
func (p party) in5(t *testing.T, clientID, username, password string) *wire5 {
	t.Helper()
	w, reason := p.hello5(t, clientID, username, password)
	if reason != packet.Success {
		t.Fatalf("%s is refused: %v", clientID, reason)
	}
	return w
}

func (w *wire5) send(frame []byte) {
	w.t.Helper()
	if _, err := w.Write(frame); err != nil {
		w.t.Fatal(err)
	}
}

// next reads one packet, which has to be of a type and come in time.
func (w *wire5) next(of packet.Type, within time.Duration) packet.Frame {
	w.t.Helper()
	if err := w.SetReadDeadline(time.Now().Add(within)); err != nil {
		w.t.Fatal(err)
	}
	for chunk := make([]byte, 1024); ; {
		f, n, err := packet.Split(w.buf, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		if n > 0 {
			w.buf = w.buf[n:]
			if f.Type != of {
				w.t.Fatalf("got %s, want %s", f.Type, of)
			}
			f.Version = packet.V5
			return f
		}
		if n, err = w.Read(chunk); err != nil {
			w.t.Fatalf("waiting for %s: %v", of, err)
		}
		w.buf = append(slices.Clip(w.buf), chunk[:n]...)
	}
}

// ends says that the connection is ended in time, and why.
func (w *wire5) ends() {
	w.t.Helper()
	var p packet.Disconnect
	if err := p.Decode(w.next(packet.DISCONNECT, felt)); err != nil || p.Reason != packet.NotAuthorizedV5 {
		w.t.Errorf("DISCONNECT %v, %v", p.Reason, err)
	}
}

// stands says that the connection is as it was.
func (w *wire5) stands() {
	w.t.Helper()
	w.send(packet.Pingreq{}.Append(nil))
	w.next(packet.PINGRESP, patience)
}

// revoker revokes something, by whatever way, and returns when a token may say
// that it was issued after it.
type revoker func(t *testing.T, body spec.NewRevocation) time.Time

// byAPI revokes at a node, which announces it.
func (p party) byAPI(t *testing.T, body spec.NewRevocation) time.Time {
	t.Helper()
	var made spec.Revocation
	if err := p.api.With(p.app.APIKey.Secret).Post(t.Context(), "/v1/apps/chat/revocations", body, &made); err != nil {
		t.Fatal(err)
	}
	return time.Now()
}

// TestRevocationsReachLiveConnections: what is revoked at one node, or in the
// database without a word to anybody, ends at the other, and nothing else does.
func TestRevocationsReachLiveConnections(t *testing.T) {
	t.Parallel()
	args := clustered(t)
	redis := []string{"--redis-url", testenv.Redis(t)}
	one, two := serve(t, append(args("one"), redis...)...), serve(t, append(args("two"), redis...)...)
	for name, org := range map[string]string{"announced": "acme", "not announced": "globex"} {
		t.Run(name, func(t *testing.T) {
			here := found(t, one, org)
			revoke := here.byAPI
			if name == "not announced" {
				revoke = silently(t, args("nobody"), org)
			}
			here.at(two).testRevocations(t, here, revoke)
		})
	}
}

func (p party) testRevocations(t *testing.T, here party, revoke revoker) {
	t.Helper()
	prefix := p.app.TopicPrefix
	login := spec.NewLogin{Username: "robot", Password: "correct horse", User: "ana"}
	var ignored json.RawMessage
	if err := here.api.With(p.app.APIKey.Secret).Post(t.Context(), "/v1/apps/chat/logins", login, &ignored); err != nil {
		t.Fatal(err)
	}
	token := func(jti, user string, issued time.Time) string {
		return p.sign(t, func(token *jwt.Token) {
			token.Claims = jwt.MapClaims{"sub": user, "jti": jti, "iat": issued.Unix(), "exp": time.Now().Add(time.Hour).Unix()}
		})
	}
	now := time.Now()
	issued := token("one", "ana", now)
	first, second := p.in5(t, "a1", prefix, issued), p.in5(t, "a2", prefix, token("two", "ana", now))
	robot := p.in5(t, "robot", prefix+"/robot", "correct horse")
	phone := p.in5(t, "phone-1", prefix, token("three", "bo", now))
	other := p.in5(t, "other", prefix, token("four", "bo", now))

	revoke(t, spec.NewRevocation{Token: &spec.RevokedToken{Jwt: &issued}})
	first.ends()
	second.stands()
	if _, reason := p.hello5(t, "a1", prefix, issued); reason != packet.BadUserNameOrPasswordV5 {
		t.Errorf("a revoked token: %v", reason)
	}
	device, user := "phone-1", "ana"
	revoke(t, spec.NewRevocation{Device: &device})
	phone.ends()
	second.stands()
	after := revoke(t, spec.NewRevocation{User: &user})
	second.ends()
	robot.ends()
	for _, one := range []string{"a2", "a3"} {
		if _, reason := p.hello5(t, one, prefix, token("five", "ana", after)); reason != packet.Success {
			t.Errorf("a token that was issued after it: %v", reason)
		}
	}
	p.in5(t, "robot", prefix+"/robot", "correct horse")
	other.stands()
}

// silently revokes in the database that a node's arguments name.
func silently(t *testing.T, args []string, org string) revoker {
	t.Helper()
	value := func(flag string) string { return args[slices.Index(args, flag)+1] }
	key, err := base64.StdEncoding.DecodeString(value("--master-key"))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := tenant.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := store.Open(t.Context(), store.Config{PostgresURL: value("--postgres-url"), Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	return func(t *testing.T, body spec.NewRevocation) time.Time {
		t.Helper()
		now := time.Now()
		r := tenant.Revocation{Organization: org, App: "chat", IssuedBefore: now, ExpiresAt: now.Add(time.Hour), CreatedAt: now}
		switch {
		case body.User != nil:
			r.Kind, r.Subject = tenant.RevokedUser, *body.User
		case body.Device != nil:
			r.Kind, r.Subject = tenant.RevokedDevice, *body.Device
		default:
			r.Kind, r.Subject, r.IssuedBefore = tenant.RevokedToken, "one", time.Time{}
		}
		if _, err := kept.Revoke(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		return now.Add(time.Second)
	}
}
