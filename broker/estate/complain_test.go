package estate_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/estate"
	"github.com/fanfare-mq/fanfare/broker/presence"
)

// idle is a bus that is asked for nothing.
type idle struct{ estate.Bus }

func (idle) Instance() string { return "me" }

// Wills that have to wait because their app's log is full do not fill ours.
func TestWillsThatWaitAreLoggedNowAndThen(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e, err := estate.New(estate.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, idle{}, presence.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	for op := range uint64(100) {
		e.Published(op, &broker.Message{Topic: "acme/chat/gone"}, broker.ErrAppFull)
	}
	if n := strings.Count(log.String(), "will not published yet"); n != 1 {
		t.Errorf("%d lines", n)
	}
}
