package jetstream

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// What can have made live messages go missing.
const (
	doubtReconnect = "reconnect"     // what was under way when NATS was lost
	doubtSlow      = "slow_consumer" // NATS delivered faster than this node took
	doubtSender    = "sender"        // another node reconnected: its messages
	doubtElection  = "election"      // a shard has another leader
)

const (
	// doubtSubject is where a node tells the others that what it sent may not
	// have arrived.
	doubtSubject = ctlPrefix + "doubt"
	// electionSubject is where JetStream tells of a stream's new leader.
	electionSubject = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."
)

// doubts are the functions that hear when live messages may be missing.
type doubts struct {
	mu sync.RWMutex // guards on
	on []func(reason string)
}

// OnDoubt has fn called from now on when live messages for this node may have
// been lost, so that whoever relies on them asks the log. fn is called from any
// goroutine and must not block.
func (b *Bus) OnDoubt(fn func(reason string)) {
	b.doubts.mu.Lock()
	defer b.doubts.mu.Unlock()
	b.doubts.on = append(b.doubts.on, fn)
}

func (b *Bus) doubt(reason string) {
	b.counters.doubts.Add(1)
	b.cfg.Logger.Info("live messages may be missing", slog.String("reason", reason))
	b.doubts.mu.RLock()
	defer b.doubts.mu.RUnlock()
	for _, fn := range b.doubts.on {
		fn(reason)
	}
}

// trouble is what happens to the trunk: either side of it may have lost live
// messages.
func (b *Bus) trouble(conn *nats.Conn, reason string) {
	if reason == doubtReconnect {
		_ = conn.Publish(doubtSubject, nil) // fails when it is lost again, which is told again
	}
	b.doubt(reason)
}

// hearDoubts listens to those who know better.
func (b *Bus) hearDoubts() error {
	if _, err := b.trunk.Subscribe(doubtSubject, func(*nats.Msg) { b.doubt(doubtSender) }); err != nil {
		return fmt.Errorf("jetstream: %s: %w", doubtSubject, err)
	}
	_, err := b.trunk.Subscribe(electionSubject+"*", func(m *nats.Msg) {
		if strings.HasPrefix(m.Subject, electionSubject+logStreams) {
			b.doubt(doubtElection)
		}
	})
	if err != nil {
		return fmt.Errorf("jetstream: %s: %w", electionSubject, err)
	}
	return nil
}
