package jetstream

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

// What the tests look at inside.
var (
	CheckTopic     = checkTopic
	TopicOf        = topicOf
	AppendEnvelope = appendEnvelope
	ParseEnvelope  = parseEnvelope
	EnvelopeID     = envelopeID
	WholeSeconds   = wholeSeconds
	AppPrefix      = appPrefix
	StreamName     = streamName
	NewIDs         = newIDs
)

// The bounds that tests reach for.
const (
	MaxLevels   = maxLevels
	MaxSubject  = maxSubject
	MaxEnvelope = maxEnvelope
	WideAbove   = wideAbove
	NarrowBelow = narrowBelow

	PreviousTopics = previousTopics
	MaxKeyLevels   = maxKeyLevels
)

// LiveSubject is the subject of live delivery.
func LiveSubject(name string) string { return string(appendLiveSubject(nil, name)) }

// LiveFilters are the subjects of an interest.
func LiveSubjects(filter string) ([]string, error) { return liveSubjects(filter) }

func LiveFilters(filter string) ([]string, error) { return filterSubjects(livePrefix, filter) }

// LogSubject is the subject under which the log keeps a message.
func LogSubject(shard int, id ulid.ULID, name string) string {
	return string(appendLogSubject(nil, shard, &broker.Message{ID: id, Topic: name}, false))
}

// Judge reads an answer of the log.
func Judge(data string) (seq uint64, duplicate, again bool, err error) {
	out := readAck(&nats.Msg{Data: []byte(data)})
	return out.seq, out.duplicate, out.again, out.err
}

// Seen is a set of that many messages a generation.
func Seen(size int) func(ulid.ULID) bool {
	s := newSeen(size)
	return s.add
}

// SetWide sets the number of filters above which an app is taken as a whole.
func (b *Bus) SetWide(wide, thin int) { b.interests.wide, b.interests.thin = wide, thin }

// Trunk is the connection for live traffic.
func (b *Bus) Trunk() *nats.Conn { return b.trunk }

// NextID makes an id.
func NextID(g *ids, now time.Time) ulid.ULID { return g.next(now) }

// Side is the connection for reading.
func (b *Bus) Side() *nats.Conn { return b.side }

// JetStreamOf is the JetStream context of the bus.
func JetStreamOf(b *Bus) jetstream.JetStream { return b.js }

// LogHours are the hour tokens that a question names.
func LogHours(since, now time.Time) []string { return logHours(since, now) }

// HoldRetained makes retained writes wait until the function it returns is
// called. Nothing may be published before.
func HoldRetained(b *Bus) (goOn func()) {
	held := make(chan struct{})
	write := b.keeper.write
	b.keeper.write = func(ctx context.Context, m *broker.Message) error {
		<-held
		return write(ctx, m)
	}
	return func() { close(held) }
}

// SetReplicated makes a bus take an answering replica for one that may be
// behind. Nothing may be asked before.
func SetReplicated(b *Bus) { b.replicated, b.store.replicated = true, true }

// What the tests of the store look at.
var (
	AppendRecord = appendRecord
	ParseRecord  = parseRecord
	AppendWill   = appendWill
	ParseWill    = parseWill
)

// RecordMargin is how much longer than its session a record is kept.
const RecordMargin = recordMargin

// SetAnswerPatience sets how long the store waits for one answer. Nothing may
// be asked before.
func SetAnswerPatience(b *Bus, d time.Duration) {
	b.store.desk.mu.Lock()
	defer b.store.desk.mu.Unlock()
	b.store.desk.patience = d
}

// LoseAnswers has no answer arrive at the store, and everything given up at
// once, until stop is called.
func LoseAnswers(b *Bus) (stop func()) {
	d := b.store.desk
	set := func(patience, whole time.Duration) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.patience, d.whole = patience, whole
	}
	set(checkInterval, 2*checkInterval)
	_ = d.answers.Unsubscribe()
	return func() {
		set(answerPatience, askPatience)
		d.answers, _ = d.conn.Subscribe(d.inbox+"*", d.answered)
		_ = d.conn.Flush()
	}
}

// Previous remembers the newest message of each topic, beginning at a time.
func Previous(start time.Time) func(topic string, seq uint64, again bool, now time.Time) uint64 {
	return newPrevious(start).swap
}

// SetFreeDisk tells how much of the disk is free from now on.
func SetFreeDisk(b *Bus, free int64) {
	b.disk.free = func(string) (int64, error) { return free, nil }
	b.disk.look()
}

// NewDisk watches the folder as the embedded log does, with another reserve; it
// returns whether there is room.
func NewDisk(dir string, reserve int64) (room func() bool) {
	d := newDisk(Config{Dir: dir}.withDefaults())
	d.reserve = reserve
	return func() bool {
		d.look()
		return !d.full.Load()
	}
}

// The bounds of the disk.
const (
	DiskReserve = diskReserve
	DiskReturn  = diskReturn
)

// LogSubjectOf is the subject of a message; aged that of one with an old id.
func LogSubjectOf(shard int, m *broker.Message, aged bool) string {
	return string(appendLogSubject(nil, shard, m, aged))
}

// KeyOf is the collapse key of a subject's last token.
var KeyOf = keyOf

// Lane is a lane on its own, for answers that a server seldom gives.
type Lane struct {
	lane
	now time.Duration
}

// NewLane is a lane that sends batches of at most that many messages.
func NewLane(most int) *Lane { return &Lane{lane: lane{most: most, room: most}} }

// Push queues a message.
func (l *Lane) Push(m *broker.Message) { l.push(entry{m: m, entered: l.now}) }

// Check lets time pass and looks for what has waited too long.
func (l *Lane) Check(d time.Duration) bool {
	l.now += d
	gaveUp, _ := l.check(l.now)
	return gaveUp
}

// Take tells what is sent now, in short, and its number. A second passes.
func (l *Lane) Take() (sent string, number uint64) {
	l.now += time.Second
	parcels, number := l.take(make([]parcel, 0, batchMost), l.now)
	for _, p := range parcels {
		sent += [...]string{"", "hour?", "place?"}[p.ask] + string(p.m.Payload) + " "
	}
	return strings.TrimSpace(sent), number
}

// AnswerBatch takes JetStream's answer to a batch, Answer to a single message
// and AnswerQuestion to a question.
func (l *Lane) AnswerBatch(number uint64, data string) {
	l.answerBatch(number, readBatch(&nats.Msg{Data: []byte(data)}), l.now)
}

// Answer takes the answer to the message with that index.
func (l *Lane) Answer(index uint64, data string) {
	l.answer(index, readAck(&nats.Msg{Data: []byte(data)}), l.now)
}

// AnswerQuestion takes the answer to a question about the message with that index.
func (l *Lane) AnswerQuestion(index uint64, data string) {
	l.answer(index, readLookup(&nats.Msg{Data: []byte(data)}), l.now)
}

// Finished tells what is finished, by payload and place or error code.
func (l *Lane) Finished() string {
	var all []string
	for _, e := range l.pop(make([]entry, 0, batchMost)) {
		what := fmt.Sprint(e.outcome.seq)
		if e.outcome.err != nil {
			what = string(fault.CodeOf(e.outcome.err))
		}
		all = append(all, string(e.m.Payload)+":"+what)
	}
	return strings.Join(all, " ")
}

// Kill ends a bus that is alone as a killed process would, but for what the
// operating system does: nothing is said or put away.
func Kill(b *Bus) error {
	b.closing.Do(func() {
		b.closed.Store(true)
		for _, stop := range []context.CancelFunc{b.stopAppend, b.stopKeep, b.stopRead, b.stopStore, b.stopLive} {
			stop()
		}
		b.disconnect()
	})
	return nil
}

// Lineage is what META knows of a shard's generations.
type Lineage struct{ l lineage }

// NewLineage knows of none.
func NewLineage() *Lineage { return new(Lineage) }

// Begin adds a generation behind last.
func (l *Lineage) Begin(last uint64) { l.l.begin(last, time.Time{}, time.Time{}) }

// Generations are those that are kept.
func (l *Lineage) Generations() []broker.Generation {
	var all []broker.Generation
	for _, s := range l.l.Generations {
		all = append(all, broker.Generation(s))
	}
	return all
}

// SetErrands sets how many errands the store takes at once.
func SetErrands(b *Bus, most int) {
	b.store.desk.mu.Lock()
	defer b.store.desk.mu.Unlock()
	b.store.desk.most = most
}

// MaxConsumers is how many a stream may have.
const MaxConsumers = maxConsumers

// ReadBy is Read with the probes put over another connection, at once. It
// returns when the probe is over.
func ReadBy(b *Bus, conn *nats.Conn, q broker.Query, fn func(broker.Page, error)) error {
	a, err := newAsker(conn)
	if err != nil {
		return err
	}
	defer a.close()
	subjects, err := b.questionOf(q)
	if err == nil {
		b.read(b.readCtx, a, q, subjects, time.Now(), fn)
	}
	return err
}

// BytesOf is what the log holds of a topic's app, as far as this node knows.
func BytesOf(b *Bus, topic string) int64 {
	o := b.appender.accounts.of(topic, time.Now())
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sum
}

// Account is that of one app.
func Account(retention time.Duration, most int64) func(*broker.Message, time.Time) error {
	a := newAccounts(Config{Log: func(string, string) (time.Duration, int64) { return retention, most }})
	return func(m *broker.Message, now time.Time) error {
		_, err := a.charge(m, now)
		return err
	}
}

// Turns is a pool whose tasks ask nothing.
type Turns struct {
	pool *pool
	end  func()
}

// NewTurns starts one with so many goroutines, and room for so many tasks.
func NewTurns(b *Bus, workers, queue int) *Turns {
	p := newPool(b.side, queue, b.cfg.Logger)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	for range workers {
		done.Go(func() { p.work(ctx) })
	}
	return &Turns{pool: p, end: func() { cancel(); done.Wait(); p.close() }}
}

// Offer queues a task.
func (p *Turns) Offer(org string, f func()) bool {
	return p.pool.offer(org, func(context.Context, *asker) { f() })
}

// Close ends it.
func (p *Turns) Close() { p.end() }
