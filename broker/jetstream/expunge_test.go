package jetstream_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// leavings are all subjects and consumers of all streams that have a text.
func leavings(t testing.TB, b *jetstream.Bus, of string) []string {
	t.Helper()
	js := jetstream.JetStreamOf(b)
	coded := base64.RawURLEncoding.EncodeToString([]byte(of))
	var all []string
	note := func(where, text string) {
		if strings.Contains(text, of) || strings.Contains(text, coded) {
			all = append(all, where+" "+text)
		}
	}
	for info := range js.ListStreams(t.Context()).Info() {
		s := streamNamed(t, b, info.Config.Name)
		full, err := s.Info(t.Context(), natsjs.WithSubjectFilter(">"))
		if err != nil {
			t.Fatal(err)
		}
		for subject := range full.State.Subjects {
			note(info.Config.Name, subject)
		}
		for c := range s.ListConsumers(t.Context()).Info() {
			note(info.Config.Name+" "+c.Name, fmt.Sprint(c.Config.FilterSubject, c.Config.FilterSubjects))
		}
	}
	slices.Sort(all)
	return all
}

// furnish leaves something of an app in every store.
func furnish(t testing.TB, b *jetstream.Bus, org, app string, shard uint16) {
	t.Helper()
	prefix := org + "/" + app
	put := func(m *broker.Message) {
		m.Position.Shard = shard
		publish(t, b, m)
	}
	put(message(1, prefix+"/a", "dated"))
	put(message(1, prefix, "the app itself"))
	put(collapsed("key", prefix+"/a", "collapsed"))
	aged := message(1, prefix+"/a", "undated")
	aged.ID, aged.Undated = ulid.MustNew(ulid.Timestamp(time.Now().Add(-time.Hour)), rand.Reader), true
	put(aged)
	kept := message(1, prefix+"/a", "retained")
	kept.Retain = true
	put(kept)
	save(t, b, broker.SessionKey(org, app, "ana", "phone"), richRecord(), 0)
	save(t, b, broker.SessionKey(org, app, "ana", strings.Repeat("x", 4000)), richRecord(), 0)
	will := &broker.Will{Instance: b.Instance(), Key: broker.SessionKey(org, app, "ana", "phone"), Message: message(1, prefix+"/will", "bye")}
	if _, err := await(t, func(fn func(uint64, error)) { b.PutWill(will, fn) }); err != nil {
		t.Fatal(err)
	}
	b.Emit(broker.Event{Org: org, App: app, User: "ana", ClientID: "phone", Type: broker.EventConnected, At: time.Now()})
	joinGroup(t, b, broker.Group{Name: prefix + "/g", Filter: prefix + "/#", Shard: shard})
	b.LeaveGroup(prefix+"/g", prefix+"/#")
}

// furniture is how much that is: five messages in the log, a retained one, two
// sessions, a will, an event, a group, and the count of bytes. Each organization
// has a count of bytes besides.
const furniture = 5 + 1 + 2 + 1 + 1 + 1 + 1

// counted has the bytes of all apps counted, and soon.
func counted(string, string) (time.Duration, int64) { return 2 * time.Hour, 1 << 30 }

func testExpunge(t *testing.T, b, other *jetstream.Bus, shards uint16) {
	t.Helper()
	for i, org := range []string{"acme", "acme-labs", "globex"} {
		furnish(t, b, org, "chat", uint16(i)%shards)
		furnish(t, other, org, "mail", uint16(i)%shards)
	}
	eventually(t, "everything is there", func() bool {
		return len(leavings(t, b, "globex")) == 2*furniture+1 && len(leavings(t, b, "acme-labs")) == 2*furniture+1 && len(leavings(t, b, "acme")) >= 4*furniture-2
	})
	before, labs := leavings(t, b, "globex"), leavings(t, b, "acme-labs")

	if err := other.Expunge(t.Context(), "acme", "chat"); err != nil {
		t.Fatal(err)
	}
	for _, left := range leavings(t, b, "acme.chat") {
		t.Errorf("of the app: %s", left)
	}
	if left := leavings(t, b, "acme.mail"); len(left) < furniture-1 {
		t.Errorf("of the other app: %q", left)
	}
	for range 2 { // it can be repeated
		if err := b.Expunge(t.Context(), "acme", ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, left := range leavings(t, b, "acme") {
		if !slices.Contains(labs, left) {
			t.Errorf("of the organization: %s", left)
		}
	}
	if after := leavings(t, b, "globex"); !slices.Equal(before, after) {
		t.Errorf("of another: %q, was %q", after, before)
	}
	if after := leavings(t, b, "acme-labs"); !slices.Equal(labs, after) {
		t.Errorf("of the neighbour: %q, was %q", after, labs)
	}
	// The log goes on, for all.
	publish(t, b, message(1, "acme/chat/a", "after"))
	publish(t, b, message(1, "globex/chat/a", "after"))
}

func TestExpungeAlone(t *testing.T) {
	b := openAlone(t, jetstream.Config{Log: counted})
	testExpunge(t, b, b, 1)
}

func TestExpungeInACluster(t *testing.T) {
	servers := startCluster(t)
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.ClientURL())
	}
	cfg := jetstream.Config{Node: "node-a", URL: strings.Join(urls, ","), Shards: 2, Replicas: 3, Log: counted}
	a := open(t, cfg)
	cfg.Node = "node-b"
	testExpunge(t, a, open(t, cfg), 2)
}
