package jetstream_test

import (
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

func TestUsageOfAnOrganization(t *testing.T) {
	b := openAlone(t, jetstream.Config{
		Dir: t.TempDir(), Log: func(string, string) (time.Duration, int64) { return time.Hour, 0 },
	})
	for _, topic := range []string{"acme/chat/a", "acme/mail/a", "acme-labs/chat/a"} {
		publish(t, b, thousand(1, topic))
	}
	for _, topic := range []string{"acme/chat/r", "acme/mail/r/s", "acme/a", "globex/chat/r"} {
		m := message(0, topic, "x")
		m.Retain = true
		publish(t, b, m)
	}
	for _, key := range []string{"acme/chat/ana/1", "acme/mail/ana/1", "globex/chat/ana/1"} {
		save(t, b, key, &broker.Record{}, 0)
	}
	eventually(t, "two sessions, three retained messages, and the bytes of two others", func() bool {
		got, err := b.Usage(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return got.Sessions == 2 && got.Retained == 3 && got.LogBytes > 2000 && got.LogBytes < 3500
	})
	if got, err := b.Usage(t.Context(), "nobody"); err != nil || got != (broker.Usage{}) {
		t.Errorf("nobody has %+v, %v", got, err)
	}
}
