package jetstream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// TestSessions lists a user's sessions page by page, and nobody else's.
func TestSessions(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	away := &broker.Record{Owner: "i", Expires: time.Now().Add(time.Hour)}
	held := &broker.Record{Owner: "i"}
	for i := range 25 {
		save(t, b, fmt.Sprintf("acme/chat/ana/phone %02d/+#", i), away, 0)
	}
	revision := save(t, b, "acme/chat/ana/tablet", away, 0)
	save(t, b, "acme/chat/ana/tablet", held, revision)
	if err := erase(t, b, "acme/chat/ana/gone", save(t, b, "acme/chat/ana/gone", away, 0)); err != nil {
		t.Fatal(err)
	}
	save(t, b, "acme/chat/ana/over", &broker.Record{Owner: "i", Expires: time.Now().Add(-time.Second)}, 0)
	for _, key := range []string{"acme/chat/anabel/phone", "acme/mail/ana/phone", "globex/chat/ana/phone"} {
		save(t, b, key, away, 0)
	}

	var got []broker.Kept
	for after := ""; ; after = got[len(got)-1].ClientID {
		page, err := b.Sessions(t.Context(), "acme", "chat", "ana", after, 10)
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, page...); len(page) < 10 {
			break
		}
	}
	if len(got) != 26 {
		t.Fatalf("%d sessions: %v", len(got), got)
	}
	for i, k := range got[:25] {
		if k.ClientID != fmt.Sprintf("phone %02d/+#", i) || k.Connected || k.Record.Expires.IsZero() {
			t.Errorf("session %d: %+v", i, k)
		}
	}
	if last := got[25]; last.ClientID != "tablet" || !last.Connected {
		t.Errorf("the last one: %+v", last)
	}
}
