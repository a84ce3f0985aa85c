package cli_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/paho"
	"github.com/jackc/pgx/v5"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// stores are all places where a cluster keeps something.
type stores struct{ nats, redis, postgres string }

// have lists what of them has a slug in it.
func (s stores) have(t *testing.T, slug string) []string {
	t.Helper()
	return append(append(s.inNATS(t, slug), s.inRedis(t, slug)...), s.inPostgres(t, slug)...)
}

// inNATS looks at all subjects, consumers and values of all streams.
func (s stores) inNATS(t *testing.T, slug string) (found []string) {
	t.Helper()
	conn, err := natsgo.Connect(s.nats)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	coded := base64.RawURLEncoding.EncodeToString([]byte(slug))
	note := func(where, text string) {
		if strings.Contains(text, slug) || strings.Contains(text, coded) {
			found = append(found, where)
		}
	}
	for info := range js.ListStreams(t.Context()).Info() {
		stream, err := js.Stream(t.Context(), info.Config.Name)
		if err != nil {
			t.Fatal(err)
		}
		for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
			if m, err := stream.GetMsg(t.Context(), seq); err == nil {
				note("NATS: "+m.Subject, m.Subject+string(m.Data)+fmt.Sprint(m.Header))
			}
		}
		for c := range stream.ListConsumers(t.Context()).Info() {
			note("NATS: consumer "+c.Name, fmt.Sprint(c.Config))
		}
	}
	return found
}

func (s stores) inRedis(t *testing.T, slug string) (found []string) {
	t.Helper()
	options, err := redis.ParseURL(s.redis)
	if err != nil {
		t.Fatal(err)
	}
	r := redis.NewClient(options)
	defer r.Close()
	for keys := r.Scan(t.Context(), 0, "*", 1000).Iterator(); keys.Next(t.Context()); {
		if value := r.Dump(t.Context(), keys.Val()).Val(); strings.Contains(keys.Val()+value, slug) {
			found = append(found, "Redis: "+keys.Val())
		}
	}
	return found
}

// inPostgres looks at every row of every table.
func (s stores) inPostgres(t *testing.T, slug string) (found []string) {
	t.Helper()
	db, err := pgx.Connect(t.Context(), s.postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context()))
	list, err := db.Query(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(list, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		rows, err := db.Query(t.Context(), `SELECT $1 || ': ' || t::text FROM `+table+` t WHERE t::text LIKE $2`, table, "%"+slug+"%")
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, lines...)
	}
	return found
}

// furnish leaves something of the app in every store, and returns a device that
// is connected.
func (p party) furnish(t *testing.T) *modern {
	t.Helper()
	key := p.api.With(p.app.APIKey.Secret)
	prefix := p.app.TopicPrefix
	var ignored json.RawMessage
	for _, in := range []struct {
		path string
		body any
	}{
		{"/logins", spec.NewLogin{Username: "robot", Password: "correct horse", User: "ana"}},
		{"/publish", spec.PublishRequest{Topic: prefix + "/topics/a", Payload: "kept", QoS: client.Optional(spec.QoS(1)), Retain: client.Optional(true)}},
		{"/publish", spec.PublishRequest{Topic: prefix + "/topics/a", Payload: "newest", QoS: client.Optional(spec.QoS(1)), CollapseKey: client.Optional("k")}},
	} {
		if err := key.Post(t.Context(), "/v1/apps/chat"+in.path, in.body, &ignored); err != nil {
			t.Fatal(err)
		}
	}
	p.push(t, "ana", "hello")
	d, _ := p.dial5(t, "ana-1")
	for _, filter := range []string{prefix + "/users/ana/#", "$share/g/" + prefix + "/topics/#"} {
		if _, err := d.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 1}}}); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// TestNothingIsLeft: an organization with something in every store is deleted,
// and of it nothing is left but who has deleted it.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	s := stores{nats: nats(t), redis: testenv.Redis(t), postgres: testenv.Postgres(t)}
	args := func(node string) []string {
		return serveArgs(t.TempDir(), "--node", node, "--nats-url", s.nats, "--postgres-url", s.postgres,
			"--master-key", masterKey(), "--redis-url", s.redis)
	}
	one, two := serve(t, args("one")...), serve(t, args("two")...)
	gone, stays := found(t, one, "doomed").at(two), found(t, one, "globex").at(two)
	device, other := gone.furnish(t), stays.furnish(t)
	if n := len(s.have(t, "doomed")); n < 15 {
		t.Fatalf("there are only %d things of it: %q", n, s.have(t, "doomed"))
	}

	one.operate(t, "org", "delete", "doomed", "--yes")
	if reason := <-device.parted; reason != administrativeAction {
		t.Errorf("DISCONNECT %#x", reason)
	}
	if _, reason := gone.dial5(t, "ana-2"); reason == 0 {
		t.Error("a device is let in")
	}
	testenv.Eventually(t, felt, "the key is worth nothing", func() bool { return gone.refused(t, "unauthenticated") })
	testenv.Eventually(t, patience, "it is erased", func() bool {
		got := command(t, []string{"FANFARE_MASTER_KEY=" + masterKey()}, "", "org", "show", "doomed", "--url", one.places["API"])
		return got.code == 1 && strings.Contains(got.stderr, "not_found")
	})
	// Redis forgets by itself what devices have left there.
	testenv.Eventually(t, patience, "Redis has nothing", func() bool { return len(s.inRedis(t, "doomed")) == 0 })
	left := s.have(t, "doomed")
	if len(left) != 1 || !strings.HasPrefix(left[0], "audit: ") || !strings.Contains(left[0], "organization.delete") {
		t.Errorf("left: %q", left)
	}
	stays.push(t, "ana", "nothing has happened")
	select {
	case m := <-other.arrived:
		if !strings.Contains(string(m.Payload), "nothing has happened") && !strings.Contains(string(m.Payload), "hello") {
			t.Errorf("received %s", m.Payload)
		}
	case reason := <-other.parted:
		t.Errorf("somebody else's connection ended: %#x", reason)
	}
	found(t, two, "doomed") // the name is free
}
