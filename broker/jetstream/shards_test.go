package jetstream_test

import (
	"fmt"
	"strings"
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// TestShardsGrow raises the number of shards while another node works: new
// organizations use what all nodes have.
func TestShardsGrow(t *testing.T) {
	url := startNATS(t).url()
	a := open(t, jetstream.Config{Node: "node-a", URL: url, Shards: 2})
	eventually(t, "spread over two", func() bool { return a.Spread() == 2 })
	b := open(t, jetstream.Config{Node: "node-b", URL: url, Shards: 3})
	if a.Shards() != 2 || b.Shards() != 3 {
		t.Errorf("shards %d and %d", a.Shards(), b.Shards())
	}
	eventually(t, "spread known", func() bool { return b.Spread() == 2 })
	m := message(1, "acme/a", "x")
	m.Position.Shard = 2
	publish(t, b, m)
	if _, err := tryOpen(t, jetstream.Config{Node: "node-c", URL: url, Shards: 2}); err == nil || !strings.Contains(err.Error(), "3 shards") {
		t.Errorf("lowered: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = open(t, jetstream.Config{Node: "node-a", URL: url, Shards: 3})
	if a.Shards() != 3 || len(stored(t, a, 2)) != 1 {
		t.Errorf("%d shards", a.Shards())
	}
	eventually(t, "spread over three", func() bool { return a.Spread() == 3 && b.Spread() == 3 })
}

func TestShardsStay(t *testing.T) {
	dir := t.TempDir()
	b := openAlone(t, jetstream.Config{Dir: dir, Shards: 3})
	if b.Shards() != 3 || b.Spread() != 3 {
		t.Errorf("%d shards", b.Shards())
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if b = openAlone(t, jetstream.Config{Dir: dir}); b.Shards() != 3 {
		t.Errorf("%d shards", b.Shards())
	}
}

// TestOldStreams brings streams and buckets that an earlier program made up to
// date, and leaves what is the operator's.
func TestOldStreams(t *testing.T) {
	n := startNATS(t)
	cfg := jetstream.Config{Node: "node-a", URL: n.url(), Shards: 1}
	b := open(t, cfg)
	js := jetstream.JetStreamOf(b)
	want := make(map[string]string)
	streams := []string{"LOG_0", "RETAINED", "EVENTS", "KV_META", "KV_NODES", "KV_LEASES", "KV_SESSIONS", "KV_WILLS"}
	foreign := func(c natsjs.StreamConfig) string { return fmt.Sprint(c.MaxMsgSize, " ", c.Metadata["team"]) }
	ours := func(c natsjs.StreamConfig) string {
		return fmt.Sprint(c.Description, c.Subjects, c.Storage, c.Retention, c.Discard, c.MaxMsgsPerSubject, c.MaxAge, c.MaxBytes,
			c.AllowDirect, c.AllowMsgTTL, c.AllowAtomicPublish, c.AllowRollup, c.DenyDelete, c.Duplicates, c.SubjectDeleteMarkerTTL)
	}
	for _, name := range streams {
		c := streamNamed(t, b, name).CachedInfo().Config
		want[name] = ours(c)
		c.Description, c.AllowDirect, c.MaxAge = "old", false, 0
		c.MaxMsgSize = 1 << 20
		c.Metadata["team"] = "push"
		if _, err := js.UpdateStream(t.Context(), c); err != nil {
			t.Fatal(name, err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, cfg)
	for _, name := range streams {
		c := streamNamed(t, b, name).CachedInfo().Config
		if ours(c) != want[name] || foreign(c) != "1048576 push" {
			t.Errorf("%s: got  %s, %s\nwant %s", name, ours(c), foreign(c), want[name])
		}
	}
}

// TestBucketOfTheLibrary opens a bucket that was made by NATS's own library, as
// earlier programs did.
func TestBucketOfTheLibrary(t *testing.T) {
	n := startNATS(t)
	cfg := jetstream.Config{Node: "node-a", URL: n.url(), Shards: 1}
	b := open(t, cfg)
	want := streamNamed(t, b, "KV_META").CachedInfo().Config
	js := jetstream.JetStreamOf(b)
	if err := js.DeleteKeyValue(t.Context(), "META"); err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), natsjs.KeyValueConfig{Bucket: "META", History: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "shards", "2"); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Shards = 0
	b = open(t, cfg)
	got := streamNamed(t, b, "KV_META").CachedInfo().Config
	if b.Shards() != 2 || got.SubjectDeleteMarkerTTL != want.SubjectDeleteMarkerTTL || !got.AllowMsgTTL || got.Discard != want.Discard {
		t.Errorf("%d shards, %+v", b.Shards(), got)
	}
}
