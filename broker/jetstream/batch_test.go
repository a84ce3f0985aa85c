package jetstream_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// What a server says.
const (
	isThere     = `{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 7"}}`
	isUnderWay  = `{"error":{"code":400,"err_code":10164,"description":"wrong last sequence"}}`
	isRepeated  = `{"error":{"code":400,"err_code":10201,"description":"atomic publish batch contains duplicate message id"}}`
	isTooMany   = `{"error":{"code":400,"err_code":10199,"description":"atomic publish batch is too large: 2"}}`
	isCut       = `{"error":{"code":400,"err_code":10176,"description":"atomic publish batch is incomplete"}}`
	isTooLarge  = `{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum"}}`
	isLogFull   = `{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}`
	isNotFound  = `{"error":{"code":404,"err_code":10037,"description":"no message found"}}`
	isFoundAt7  = `{"message":{"subject":"s","seq":7,"data":""}}`
	storedAlone = `{"stream":"LOG_0", "seq":9}`
)

func stored3(last int) string {
	return fmt.Sprintf(`{"stream":"LOG_0", "seq":%d,"batch":"b","count":3}`, last)
}

func laneOf(messages ...*broker.Message) *jetstream.Lane {
	l := jetstream.NewLane(1000)
	for _, m := range messages {
		l.Push(m)
	}
	return l
}

func abc() *jetstream.Lane {
	return laneOf(message(1, "acme/a", "a"), message(1, "acme/a", "b"), message(1, "acme/a", "c"))
}

// takes expects what is sent next, and returns its number.
func takes(t *testing.T, l *jetstream.Lane, want string) uint64 {
	t.Helper()
	got, number := l.Take()
	if got != want {
		t.Fatalf("sent %q, want %q", got, want)
	}
	return number
}

func finished(t *testing.T, l *jetstream.Lane, want string) {
	t.Helper()
	if got := l.Finished(); got != want {
		t.Fatalf("finished %q, want %q", got, want)
	}
}

func TestOneBatchIsUnderWay(t *testing.T) {
	l := abc()
	n := takes(t, l, "a b c")
	l.Push(message(1, "acme/a", "d"))
	takes(t, l, "")
	l.AnswerBatch(n+1, stored3(3)) // of another time
	finished(t, l, "")
	l.AnswerBatch(n, stored3(12))
	finished(t, l, "a:10 b:11 c:12")
	takes(t, l, "d")
	l.AnswerBatch(n, stored3(12))
	l.Answer(3, storedAlone)
	finished(t, l, "d:9")
}

// TestBatchAgain sends the same once more where the log has stored nothing.
func TestBatchAgain(t *testing.T) {
	for _, answer := range []string{"", isCut, isUnderWay} {
		l := abc()
		l.AnswerBatch(takes(t, l, "a b c"), answer)
		l.AnswerBatch(takes(t, l, "a b c"), stored3(3))
		finished(t, l, "a:1 b:2 c:3")
	}
}

// TestBatchThatIsThere asks for each message, and goes on behind those found.
func TestBatchThatIsThere(t *testing.T) {
	l := abc()
	l.AnswerBatch(takes(t, l, "a b c"), isThere)
	takes(t, l, "place?a place?b place?c")
	l.AnswerQuestion(2, isNotFound)
	l.AnswerQuestion(0, isFoundAt7)
	takes(t, l, "") // not before it is known of b
	l.AnswerQuestion(1, isNotFound)
	finished(t, l, "a:7")
	takes(t, l, "b c")
}

// TestBatchOfUnknownCount asks for what an answer leaves open.
func TestBatchOfUnknownCount(t *testing.T) {
	for _, answer := range []string{stored3(3), "nonsense", "{}"} {
		l := abc()
		l.Push(message(1, "acme/a", "d"))
		l.AnswerBatch(takes(t, l, "a b c d"), answer)
		takes(t, l, "place?a place?b place?c place?d")
	}
}

// TestBatchWithACollapseKey has no place to ask for: it goes by itself, known by
// its Msg-Id.
func TestBatchWithACollapseKey(t *testing.T) {
	l := laneOf(message(1, "acme/a", "a"), collapsed("k", "acme/a", "b"), message(1, "acme/a", "c"))
	l.AnswerBatch(takes(t, l, "a b c"), isRepeated)
	takes(t, l, "place?a")
	l.AnswerQuestion(0, isNotFound)
	takes(t, l, "a")
	l.Answer(0, storedAlone)
	takes(t, l, "b")
	l.Answer(1, `{"stream":"LOG_0", "seq":5,"duplicate": true}`)
	takes(t, l, "place?c")
	l.AnswerQuestion(2, isNotFound)
	takes(t, l, "c")
	finished(t, l, "a:9 b:5")
}

// TestBatchWithAFault sends one by one, so that the fault finds its message; so
// it does where a batch holds the same message twice, which is under way for ever.
func TestBatchWithAFault(t *testing.T) {
	for _, answers := range [][]string{{isTooLarge}, {isUnderWay, isUnderWay}, {`{"error":`}} {
		l := abc()
		for _, answer := range answers {
			l.AnswerBatch(takes(t, l, "a b c"), answer)
		}
		takes(t, l, "a")
		l.Answer(0, storedAlone)
		takes(t, l, "b")
		l.Answer(1, isTooLarge)
		takes(t, l, "c")
		l.Answer(2, isThere)
		finished(t, l, "a:9 b:payload_too_large c:7")
	}
}

func TestBatchOfAFullLog(t *testing.T) {
	l := abc()
	l.AnswerBatch(takes(t, l, "a b c"), isLogFull)
	finished(t, l, "a:log_full b:log_full c:log_full")
}

// TestBatchThatFitsInPart is cut in half until it fits, or is small.
func TestBatchThatFitsInPart(t *testing.T) {
	l := jetstream.NewLane(1000)
	for i := range 100 {
		l.Push(message(1, "acme/a", fmt.Sprint(i)))
	}
	for _, step := range []struct {
		size   int
		answer string
	}{{100, isLogFull}, {50, isLogFull}, {25, `{"seq":25,"count":25}`}, {50, isLogFull}, {25, isLogFull}, {16, isLogFull}, {16, isLogFull}, {16, `{"seq":41,"count":16}`}, {27, ""}} {
		sent, number := l.Take()
		if n := len(strings.Fields(sent)); n != step.size {
			t.Fatalf("a batch of %d, want %d", n, step.size)
		}
		l.AnswerBatch(number, step.answer)
	}
	if got := l.Finished(); !strings.Contains(got, "24:25 25:log_full") || !strings.Contains(got, "56:log_full 57:26") || !strings.HasSuffix(got, "72:41") {
		t.Errorf("finished %s", got)
	}
}

func TestSmallerBatches(t *testing.T) {
	l := jetstream.NewLane(2)
	l.Push(message(1, "acme/a", "a"))
	l.Push(message(1, "acme/a", "b"))
	l.AnswerBatch(takes(t, l, "a b"), isTooMany)
	takes(t, l, "a")
}

func TestBatchOfOldIDs(t *testing.T) {
	b := openAlone(t, jetstream.Config{SyncAlways: true})
	acks := newAnswers()
	old := func(i int) *broker.Message {
		m := message(1, "acme/a", fmt.Sprint(i))
		m.ID, m.Undated = ulid.MustNew(ulid.Timestamp(time.Now().Add(-time.Hour)), ulid.DefaultEntropy()), true
		return m
	}
	for i := range uint64(200) {
		m := message(1, "acme/a", fmt.Sprint(i))
		if i%50 > 40 {
			m = old(int(i))
		}
		publishAgain(t, b, m, acks, i)
	}
	eventually(t, "all answered", func() bool { return acks.len() == 200 })
	inOrder(t, acks)
}

// inOrder expects that messages were acknowledged in order, at rising places.
func inOrder(t *testing.T, acks *answers) {
	t.Helper()
	last := uint64(0)
	for i, tag := range acks.tags {
		if tag != uint64(i) || acks.errs[tag] != nil || acks.seqs[tag] <= last {
			t.Fatalf("answer %d: message %d at %d after %d, %v", i, tag, acks.seqs[tag], last, acks.errs[tag])
		}
		last = acks.seqs[tag]
	}
}

// TestSameMessageTwiceAtOnce has a batch hold the same message twice.
func TestSameMessageTwiceAtOnce(t *testing.T) {
	b := openAlone(t, jetstream.Config{SyncAlways: true})
	acks := newAnswers()
	const n = 100
	first := message(1, "acme/a", "twice")
	first.ID = ulid.Make()
	for i := range uint64(n) {
		m := message(1, "acme/a", fmt.Sprint(i))
		if i%50 == 7 {
			again := *first
			m = &again
		}
		publishAgain(t, b, m, acks, i)
	}
	eventually(t, "all answered", func() bool { return acks.len() == n })
	if acks.errs[7] != nil || acks.errs[57] != nil || acks.seqs[7] != acks.seqs[57] || len(stored(t, b, 0)) != n-1 {
		t.Errorf("at %d and %d, %d in the log", acks.seqs[7], acks.seqs[57], len(stored(t, b, 0)))
	}
}

// TestElections has two nodes append to a stream of three replicas whose leader
// steps down again and again, and once is killed: whatever was acknowledged is
// where the acknowledgement says, and no publisher's message is in front of an
// earlier one, acknowledged or not.
func TestElections(t *testing.T) {
	servers := startCluster(t)
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.ClientURL())
	}
	cfg := jetstream.Config{URL: strings.Join(urls, ","), Shards: 1, Replicas: 3}
	var buses []*jetstream.Bus
	for _, cfg.Node = range []string{"node-a", "node-b"} {
		buses = append(buses, open(t, cfg))
	}
	const publishers, each = 4, 1500
	acks := make([]*answers, 2*publishers)
	published := make([]map[uint64]*broker.Message, len(acks))
	var wg sync.WaitGroup
	for p := range acks {
		acks[p], published[p] = newAnswers(), make(map[uint64]*broker.Message)
		wg.Go(func() {
			for i := range uint64(each) {
				m := message(1, fmt.Sprintf("acme/p/%d", p), fmt.Sprint(i))
				if i%100 == 50 {
					m.CollapseKey = "k" // in the place of its predecessor, from which on this one is checked
				}
				published[p][i] = m
				publishAgain(t, buses[p%2], m, acks[p], i)
				if i%10 == 0 {
					<-time.After(time.Millisecond)
				}
			}
		})
	}
	for round := range 4 {
		at := acks[0].len() + 200
		eventually(t, "progress", func() bool { return acks[0].len() > min(at, each-1) })
		if round < 3 {
			_, _ = buses[0].Side().Request("$JS.API.STREAM.LEADER.STEPDOWN.LOG_0", nil, time.Second)
			continue
		}
		leader := stream(t, buses[0], 0).CachedInfo().Cluster.Leader
		for _, s := range servers {
			if s.Name() == leader {
				s.Shutdown()
			}
		}
	}
	wg.Wait()
	log := make(map[uint64]string)
	eventually(t, "a leader of the cluster", func() bool {
		_, err := jetstream.JetStreamOf(buses[1]).Stream(t.Context(), jetstream.StreamName(0))
		return err == nil
	})
	eventually(t, "all answered", func() bool {
		return buses[0].Stats().Pending+buses[1].Stats().Pending == 0
	})
	for seq, m := range stored(t, buses[1], 0) {
		log[seq] = m.Subject
	}
	for p := range acks {
		inOrder(t, acks[p])
		for i := range uint64(each) {
			m := published[p][i]
			if want := jetstream.LogSubjectOf(0, m, false); m.CollapseKey == "" && log[acks[p].seqs[i]] != want {
				t.Fatalf("publisher %d, message %d: %q at %d, want %q", p, i, log[acks[p].seqs[i]], acks[p].seqs[i], want)
			}
		}
	}
	if n := len(log); n != 2*publishers*(each-each/100+1) {
		t.Errorf("%d messages in the log", n)
	}
}

// TestGivesUpAPublisher: what a publisher sent after a message that was given up
// must not reach the log before that is sent again.
func TestGivesUpAPublisher(t *testing.T) {
	of := func(publisher, text string) *broker.Message {
		m := message(1, "acme/a", text)
		m.Publisher = publisher
		return m
	}
	l := laneOf(of("ana", "a1"), of("", "api1"))
	takes(t, l, "a1 api1")
	l.Check(20 * time.Second)
	for _, m := range []*broker.Message{of("ana", "a2"), of("bob", "b1"), of("", "api2")} {
		l.Push(m)
	}
	if !l.Check(10 * time.Second) {
		t.Fatal("nothing was given up")
	}
	finished(t, l, "a1:unavailable api1:unavailable a2:unavailable")
	takes(t, l, "b1 api2")
}
