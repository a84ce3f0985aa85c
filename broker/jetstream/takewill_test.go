package jetstream_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// A will is taken by one, also when the answer to that is lost.
func TestTakeWill(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	take := func(w *broker.Will) error {
		return awaitErr(t, func(fn func(error)) { b.TakeWill(w.Instance, w.Key, w.Revision, fn) })
	}
	read := func(instance, key string) *broker.Will {
		w, err := await(t, func(fn func(*broker.Will, error)) { b.Will(instance, key, fn) })
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := will("i1", "acme/chat/ana/phone")
	if read("i1", w.Key) != nil {
		t.Error("there is a will")
	}
	w.Revision = putWill(t, b, w)
	if got := read("i1", w.Key); !reflect.DeepEqual(got, w) {
		t.Errorf("got %+v", got)
	}
	if err := take(w); err != nil {
		t.Error(err)
	}
	if err := take(w); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("taken twice: %v", err)
	}
	if read("i1", w.Key) != nil {
		t.Error("the will is still there")
	}
	w.Revision = putWill(t, b, w)
	if err := dropWill(t, b, "i1", w.Key, 0); err != nil {
		t.Error(err)
	}
	if err := take(w); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("taken after it was dropped: %v", err)
	}
}

func TestLostAnswerOfTake(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	w := will("i1", "acme/chat/ana/phone")
	w.Revision = putWill(t, b, w)
	jetstream.SetAnswerPatience(b, 100*time.Millisecond)
	stop := swallow(t, b, "WILLS")
	defer stop()
	if err := awaitErr(t, func(fn func(error)) { b.TakeWill(w.Instance, w.Key, w.Revision, fn) }); err != nil {
		t.Error(err)
	}
}
