package cli_test

import (
	"errors"
	"strings"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/device"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// nats starts a NATS server with JetStream on a free port.
func nats(t *testing.T) (url string) {
	t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("NATS does not start")
	}
	return s.ClientURL()
}

// clustered starts what the nodes of a cluster share, and returns the arguments
// of a node.
func clustered(t *testing.T) (args func(node string) []string) {
	t.Helper()
	shared := []string{"--nats-url", nats(t), "--postgres-url", testenv.Postgres(t), "--master-key", masterKey()}
	return func(node string) []string {
		return serveArgs(t.TempDir(), append([]string{"--node", node}, shared...)...)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	args := clustered(t)
	one, two := serve(t, args("one")...), serve(t, args("two")...)
	acme := found(t, one, "acme")

	t.Run("push through one, subscribe on the other", func(t *testing.T) {
		phone := acme.at(two).user(t, "phone-1", "ana")
		phone.expect(t, acme.push(t, "ana", "from node one"))
		phone.expect(t, acme.at(two).push(t, "ana", "from node two"))
	})
	t.Run("devices of two nodes meet", func(t *testing.T) {
		rules := spec.ACL{Rules: []spec.Rule{{
			Effect: "allow", Action: "all", Topic: "acme/chat/room/#", Who: spec.Who{Everyone: client.Optional(spec.WhoEveryone(true))},
		}}}
		if _, err := one.api.With(acme.app.APIKey.Secret).SetACL(t.Context(), "chat", rules); err != nil {
			t.Fatal(err)
		}
		ana, bob := acme.user(t, "phone-2", "ana"), acme.at(two).user(t, "phone-3", "bob")
		for _, d := range []*phone{ana, bob} {
			if err := d.Subscribe(t.Context(), "acme/chat/room/+", 1); err != nil {
				t.Fatal(err)
			}
		}
		for qos := range byte(2) {
			if err := ana.Publish(t.Context(), "acme/chat/room/1", qos, "hello"); err != nil {
				t.Fatal(err)
			}
			for _, d := range []*phone{ana, bob} {
				if m := d.next(t); m.Topic != "acme/chat/room/1" || string(m.Payload) != "hello" || m.QoS != qos {
					t.Errorf("received %+v", m)
				}
			}
		}
	})
	t.Run("the wall stands between nodes", func(t *testing.T) {
		globex := found(t, two, "globex")
		eve := globex.user(t, "spy-1", "eve")
		var refusal *device.RefusedError
		if err := eve.Subscribe(t.Context(), "acme/#", 1); !errors.As(err, &refusal) {
			t.Errorf("got %v, want SUBACK 0x80", err)
		}
		ana := acme.user(t, "phone-4", "ana")
		_ = eve.Publish(t.Context(), "acme/chat/users/ana/x", 1, "spam") // may cost the connection
		ana.expect(t, acme.push(t, "ana", "real"))
	})
	t.Run("a client id moves to the other node", func(t *testing.T) {
		first := acme.user(t, "phone-5", "carl")
		second := acme.at(two).user(t, "phone-5", "carl")
		<-first.lost
		second.expect(t, acme.push(t, "carl", "to the newest connection"))
	})
	t.Run("a second node of one name refuses to start", func(t *testing.T) {
		got := command(t, nil, "", args("two")...)
		if got.code != 1 || !strings.Contains(got.stderr, "two") {
			t.Errorf("exit code %d: %s", got.code, got.stderr)
		}
		acme.at(two).push(t, "ana", "the first one goes on")
	})
	t.Run("a name is free once its node has stopped", func(t *testing.T) {
		three := serve(t, args("three")...)
		three.stop(t)
		again := acme.at(serve(t, args("three")...))
		again.user(t, "phone-6", "dora").expect(t, acme.push(t, "dora", "hello"))
	})
}

func TestRoles(t *testing.T) {
	t.Parallel()
	args := clustered(t)
	role := func(name string) *server { return serve(t, append(args(name), "--roles", name)...) }
	api, edge, worker := role("api"), role("edge"), role("worker")
	if api.places["MQTT"] != "" || edge.places["API"] != "" || worker.places["MQTT"]+worker.places["API"] != "" {
		t.Errorf("listening: api %v, edge %v, worker %v", api.places, edge.places, worker.places)
	}
	for _, s := range []*server{api, edge, worker} {
		if status, body := get(t, s.places["metrics"]+"/readyz"); status != 200 {
			t.Errorf("not ready: %s", body)
		}
	}
	acme := found(t, api, "acme")
	phone := acme.at(&server{api: api.api, places: edge.places}).user(t, "phone-1", "ana")
	phone.expect(t, acme.push(t, "ana", "Hello"))
}

func TestSignupClosed(t *testing.T) {
	t.Parallel()
	s := serve(t, serveArgs(t.TempDir(), "--signup", "closed")...)
	_, err := s.api.SignUp(t.Context(), spec.SignUp{Organization: "acme", Email: "a@b.example", Password: "a long and odd one"})
	var problem *client.Error
	if !errors.As(err, &problem) || problem.Code != "signup_closed" {
		t.Errorf("got %v", err)
	}
}
