package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/device"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// Reason codes of MQTT 5.0 and the return code of 3.1.1.
const (
	administrativeAction = 0x98
	banned               = 0x8A
	notAuthorized        = 5
)

// modern is a device that speaks MQTT 5.0 and whose session outlives its
// connection.
type modern struct {
	*paho.Client
	present bool // its session was there already
	arrived chan *paho.Publish
	parted  chan byte // the reason of the server's DISCONNECT
}

// dial5 connects a modern device of ana, or returns the reason why not.
func (p party) dial5(t *testing.T, clientID string) (*modern, byte) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.places["MQTT"], "mqtt://"))
	if err != nil {
		t.Fatal(err)
	}
	m := &modern{arrived: make(chan *paho.Publish, 100), parted: make(chan byte, 1)}
	m.Client = paho.NewClient(paho.ClientConfig{
		ClientID: clientID, Conn: conn,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(r paho.PublishReceived) (bool, error) {
			m.arrived <- r.Packet
			return true, nil
		}},
		OnServerDisconnect: func(d *paho.Disconnect) { m.parted <- d.ReasonCode },
		OnClientError:      func(error) {},
	})
	expiry := uint32(3600)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ack, err := m.Connect(ctx, &paho.Connect{
		ClientID: clientID, KeepAlive: 60, UsernameFlag: true, Username: p.app.TopicPrefix, PasswordFlag: true,
		Password: []byte(p.sign(t, as("ana"))), Properties: &paho.ConnectProperties{SessionExpiryInterval: &expiry},
	})
	if ack == nil {
		t.Fatal(err)
	}
	m.present = ack.SessionPresent
	t.Cleanup(func() { _ = conn.Close() })
	return m, ack.ReasonCode
}

// as is a token of a user.
func as(user string) func(*jwt.Token) {
	return func(token *jwt.Token) {
		token.Claims = jwt.MapClaims{"sub": user, "exp": time.Now().Add(time.Hour).Unix()}
	}
}

// operate runs a command as the operator.
func (s *server) operate(t *testing.T, args ...string) {
	t.Helper()
	got := command(t, []string{"FANFARE_MASTER_KEY=" + masterKey()}, "", append(args, "--url", s.places["API"])...)
	if got.code != 0 {
		t.Fatalf("%q: %+v", args, got)
	}
}

// refused says whether the API answers the app's key with a code.
func (p party) refused(t *testing.T, code string) bool {
	t.Helper()
	var ignored json.RawMessage
	err := p.api.With(p.app.APIKey.Secret).Get(t.Context(), "/v1/apps/chat", &ignored)
	refusal, ok := errors.AsType[*client.Error](err)
	return ok && refusal.Code == code
}

// TestSuspensionIsFelt: an organization is suspended at one node; on the other
// its devices go and its key is worth nothing, and nobody else notices. Resumed,
// everything is as it was.
func TestSuspensionIsFelt(t *testing.T) {
	t.Parallel()
	args := clustered(t)
	redis := testenv.Redis(t)
	one, two := serve(t, append(args("one"), "--redis-url", redis)...), serve(t, append(args("two"), "--redis-url", redis)...)
	acme, globex := found(t, one, "acme").at(two), found(t, one, "globex").at(two)
	ana, _ := acme.dial5(t, "ana-1")
	if _, err := ana.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "acme/chat/users/ana/#", QoS: 1}}}); err != nil {
		t.Fatal(err)
	}
	old, other := acme.user(t, "bo-1", "bo"), globex.user(t, "phone", "ana")

	one.operate(t, "org", "suspend", "acme", "--reason", "unpaid")
	began := time.Now()
	select {
	case reason := <-ana.parted:
		if reason != administrativeAction {
			t.Errorf("DISCONNECT %#x", reason)
		}
	case <-time.After(felt):
		t.Fatal("the connection stands")
	}
	select {
	case <-old.lost:
	case <-time.After(felt):
		t.Error("the connection of 3.1.1 stands")
	}
	testenv.Eventually(t, felt, "the key is refused", func() bool { return acme.refused(t, "organization_suspended") })
	t.Logf("felt after %s", time.Since(began))
	if _, reason := acme.dial5(t, "ana-2"); reason != banned {
		t.Errorf("CONNACK %#x", reason)
	}
	_, err := device.Connect(t.Context(), device.Options{URL: two.places["MQTT"], ClientID: "bo-2", Username: "acme/chat", Token: acme.sign(t, as("bo"))})
	if refusal, ok := errors.AsType[*device.RefusedError](err); !ok || refusal.Code != notAuthorized {
		t.Errorf("CONNACK of 3.1.1: %v", err)
	}
	other.expect(t, globex.push(t, "ana", "nothing has happened"))

	one.operate(t, "org", "resume", "acme")
	testenv.Eventually(t, felt, "the key works", func() bool { return !acme.refused(t, "organization_suspended") })
	var back *modern
	testenv.Eventually(t, felt, "the device is let in", func() bool {
		var reason byte
		back, reason = acme.dial5(t, "ana-1")
		return reason == 0
	})
	if !back.present {
		t.Error("the session is gone")
	}
	acme.push(t, "ana", "welcome back")
	select {
	case m := <-back.arrived:
		if !strings.Contains(string(m.Payload), "welcome back") {
			t.Errorf("received %s", m.Payload)
		}
	case <-time.After(patience):
		t.Error("the session has no subscription")
	}
}
