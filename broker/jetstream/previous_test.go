package jetstream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// TestPrevious publishes on two topics, once again under the same id, and
// expects each message to name the one before it on its topic, at both nodes.
func TestPrevious(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	atA, atB := attach(a), attach(b)
	interested(t, b, "acme/#")
	var want []uint64
	last := make(map[string]uint64)
	note := func(m *broker.Message) {
		t.Helper()
		p := publish(t, a, m)
		want = append(want, last[m.Topic])
		last[m.Topic] = p.Seq
	}
	for _, name := range []string{"acme/x", "acme/y", "acme/x", "acme/x", "acme/y"} {
		note(message(1, name, "m"))
	}
	first := message(2, "acme/z", "m")
	note(first)
	note(retained(1, "acme/z", "kept"))
	publish(t, a, &broker.Message{ID: first.ID, Topic: first.Topic, Payload: first.Payload, QoS: 2}) // where it was
	want = append(want, last["acme/z"]-1)                                                            // itself: any before it may be the one
	publish(t, a, message(0, "acme/z", "not logged"))
	want = append(want, 0)
	note(message(1, "acme/z", "m"))
	want[len(want)-1] = last["acme/z"] // nor is it known after a repetition
	for at, got := range map[string]*audience{"a": atA, "b": atB} {
		n := len(want)
		if at == "b" {
			n-- // copies of one id come once
		}
		eventually(t, "delivered", func() bool { return len(got.messages()) == n })
		var previous []uint64
		for _, m := range got.messages() {
			previous = append(previous, m.Previous)
		}
		expect := want
		if at == "b" {
			expect = append(append([]uint64(nil), want[:7]...), want[8:]...)
		}
		if fmt.Sprint(previous) != fmt.Sprint(expect) {
			t.Errorf("at %s: %v, want %v", at, previous, expect)
		}
	}
	for _, m := range keptNow(t, b, "acme/z", 1) {
		if m.Previous != 0 {
			t.Errorf("a retained message has %d before it", m.Previous)
		}
	}
}

func TestNoPreviousAlone(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	got := attach(b)
	publish(t, b, message(1, "acme/x", "1"))
	publish(t, b, message(1, "acme/x", "2"))
	eventually(t, "delivered", func() bool { return len(got.messages()) == 2 })
	if m := got.messages()[1]; m.Previous != 0 {
		t.Errorf("the message before is %d", m.Previous)
	}
}

func TestPreviousForgetsTheOldest(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	swap := jetstream.Previous(start)
	for _, step := range []struct {
		name  string
		seq   uint64
		after time.Duration
		want  uint64
	}{
		{"a", 1, 0, 0},
		{"b", 2, 0, 0},
		{"a", 3, time.Second, 1},
		{"a", 4, time.Minute, 3},
		{"a", 5, 119 * time.Second, 4}, // of the old generation, then of the young
		{"b", 6, 2 * time.Minute, 0},
		{"a", 7, 2 * time.Minute, 5},
		{"a", 8, time.Hour, 7},
		{"b", 9, 2 * time.Hour, 0},
	} {
		if got := swap(step.name, step.seq, false, start.Add(step.after)); got != step.want {
			t.Errorf("%+v: got %d", step, got)
		}
	}
	for i := range uint64(jetstream.PreviousTopics) {
		swap(fmt.Sprint(i), i+10, false, start.Add(2*time.Hour))
	}
	if got := swap("0", 1<<40, false, start.Add(2*time.Hour)); got != 10 {
		t.Errorf("a topic of the young generation: %d", got)
	}
	for i := range uint64(jetstream.PreviousTopics) {
		swap(fmt.Sprint("more ", i), 1<<41+i, false, start.Add(2*time.Hour))
	}
	if got := swap("5", 1<<50, false, start.Add(2*time.Hour)); got != 0 {
		t.Errorf("a topic that is too old: %d", got)
	}
}

// TestPreviousAfterARepetition: a message that the log had already may have come
// to a receiver by another node, and tells nothing of what entered here before.
func TestPreviousAfterARepetition(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	swap := jetstream.Previous(now)
	swap("a", 5, false, now)
	swap("a", 3, true, now)
	if got := swap("a", 7, false, now); got != broker.UnknownPrevious {
		t.Errorf("the message before is %d", got)
	}
	if got := swap("a", 9, false, now); got != 7 {
		t.Errorf("the message before is %d, not 7", got)
	}
}
