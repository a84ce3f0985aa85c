package jetstream

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// getWindow is how many messages one Get has under way.
	getWindow = 128
	// errNoMessage is JetStream's code for "no message found".
	errNoMessage = 10037
)

// Get asks for messages by their sequences and returns at once. fn is called
// once, from any goroutine, and must not block: with as many messages as there
// are sequences, in that order, nil for those that the log has no more; or with
// an error as Read's.
func (b *Bus) Get(shard uint16, seqs []uint64, fn func([]*broker.Message, error)) {
	switch {
	case int(shard) >= b.shards:
		fn(nil, fault.Newf(fault.Internal, "shard %d of %d does not exist", shard, b.shards))
	case len(seqs) == 0:
		fn(nil, nil)
	case !b.getters.offer("", func(ctx context.Context, a *asker) { b.get(ctx, a, shard, seqs, fn) }):
		fn(nil, b.refusal())
	}
}

func (b *Bus) get(ctx context.Context, a *asker, shard uint16, seqs []uint64, fn func([]*broker.Message, error)) {
	if a == nil {
		fn(nil, errClosed)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	g := getting{bus: b, asker: a, shard: shard, seqs: seqs, messages: make([]*broker.Message, len(seqs))}
	for begin := 0; begin < len(seqs); begin += getWindow {
		missing := make([]int, 0, getWindow)
		for i := begin; i < min(begin+getWindow, len(seqs)); i++ {
			missing = append(missing, i)
		}
		if err := g.some(ctx, missing); err != nil {
			fn(nil, unavailable(err))
			return
		}
	}
	fn(g.messages, nil)
}

// getting is one Get under way.
type getting struct {
	bus      *Bus
	asker    *asker
	shard    uint16
	seqs     []uint64
	messages []*broker.Message
}

// some gets the messages with these indices: from any replica, and what that
// one does not have from the leader, because it may only be behind.
func (g *getting) some(ctx context.Context, missing []int) error {
	stream := streamName(int(g.shard))
	absent, err := g.until(ctx, missing, directGet+stream, g.direct)
	if err == nil && g.bus.replicated {
		_, err = g.until(ctx, absent, leaderGet+stream, g.leader)
	}
	return err
}

// What an answer says of one message.
type verdict int

const (
	unclear verdict = iota
	found
	gone
)

// until asks under subject until every message is found or gone.
func (g *getting) until(ctx context.Context, missing []int, subject string, read func(i int, m *nats.Msg) verdict) (absent []int, err error) {
	for len(missing) > 0 {
		verdicts, err := g.round(ctx, missing, subject, read)
		var left []int
		for _, i := range missing {
			switch verdicts[i] {
			case gone:
				absent = append(absent, i)
			case unclear:
				left = append(left, i)
			case found:
			}
		}
		if missing = left; len(missing) > 0 && !wait(ctx, askAgain) {
			if err == nil {
				err = errAnswer
			}
			return nil, err
		}
	}
	return absent, nil
}

// round asks once for each and reads what comes in time.
func (g *getting) round(ctx context.Context, missing []int, subject string, read func(i int, m *nats.Msg) verdict) (map[int]verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	verdicts := make(map[int]verdict, len(missing))
	g.asker.begin()
	for _, i := range missing {
		if err := g.asker.askPart(subject, i, question{Seq: max(g.seqs[i], 1)}); err != nil {
			return verdicts, err
		}
	}
	for range missing {
		i, m, err := g.asker.nextPart(ctx)
		if err != nil || i < 0 || i >= len(g.seqs) {
			return verdicts, err
		}
		verdicts[i] = read(i, m)
	}
	return verdicts, nil
}

func (g *getting) position(i int) broker.Position {
	return broker.Position{Shard: g.shard, Seq: g.seqs[i]}
}

// direct reads a replica's answer.
func (g *getting) direct(i int, m *nats.Msg) verdict {
	switch m.Header.Get(headerStatus) {
	case "":
		return g.keep(i, subjectOf(m), m.Data)
	case statusNone:
		return gone
	}
	return unclear
}

// leader reads the leader's answer.
func (g *getting) leader(i int, m *nats.Msg) verdict {
	var a storedAnswer
	switch err := json.Unmarshal(m.Data, &a); {
	case err != nil:
		return unclear
	case a.Error.ErrCode == errNoMessage:
		return gone
	case a.Message.Seq != g.seqs[i]:
		return unclear
	}
	return g.keep(i, a.Message.Subject, a.Message.Data)
}

// storedAnswer is what the leader says to leaderGet.
type storedAnswer struct {
	Error struct {
		ErrCode int `json:"err_code"`
	} `json:"error"`
	Message struct {
		Subject string `json:"subject"`
		Seq     uint64 `json:"seq"`
		Header  []byte `json:"hdrs"`
		Data    []byte `json:"data"`
	} `json:"message"`
}

// keep notes a message; one that cannot be read is as good as gone.
func (g *getting) keep(i int, subject string, data []byte) verdict {
	if subject == sentinel(int(g.shard)) {
		return found
	}
	m, err := readLogged(subject, data, g.position(i))
	if err != nil {
		g.bus.damaged(subject, g.seqs[i], err)
		return found
	}
	g.messages[i] = m
	return found
}
