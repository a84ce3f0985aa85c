package meter_test

import (
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/meter"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(after time.Duration) time.Time { return start.Add(after) }

func TestASecondsWorthComesAtOnce(t *testing.T) {
	rate := meter.Local().Rate("acme api_rate")
	for range 10 {
		if ok, wait := rate.Take(1, 10, start); !ok || wait != 0 {
			t.Fatalf("refused within the rate: %v", wait)
		}
	}
	ok, wait := rate.Take(1, 10, start)
	if ok || wait != 100*time.Millisecond {
		t.Fatalf("the eleventh: %v, wait %v", ok, wait)
	}
	if ok, _ := rate.Take(1, 10, at(wait-time.Microsecond)); ok {
		t.Error("taken before its time")
	}
	if ok, _ := rate.Take(1, 10, at(wait)); !ok {
		t.Error("refused after the wait that was asked for")
	}
	if left, full := rate.Left(10, at(wait)); left != 0 || full != time.Second {
		t.Errorf("left %d, full after %v", left, full)
	}
	if left, full := rate.Left(10, at(time.Hour)); left != 10 || full != 0 {
		t.Errorf("after an hour: left %d, full after %v", left, full)
	}
}

func TestWhatIsLargerThanASecondsWorth(t *testing.T) {
	rate := meter.Local().Rate("acme publish_bytes")
	if ok, _ := rate.Take(5000, 1000, start); !ok {
		t.Fatal("a full bucket admits it")
	}
	if ok, wait := rate.Take(5000, 1000, at(500*time.Millisecond)); ok || wait != 500*time.Millisecond {
		t.Fatalf("half full: %v, %v", ok, wait)
	}
	if ok, _ := rate.Take(5000, 1000, at(time.Second)); !ok {
		t.Fatal("full again")
	}
}

func TestDebt(t *testing.T) {
	rate := meter.Local().Rate("acme fanout_bytes")
	if wait := rate.Debit(100, 100, start); wait != 0 {
		t.Fatalf("what is there: %v", wait)
	}
	if wait := rate.Debit(50, 100, start); wait != 500*time.Millisecond {
		t.Fatalf("a debt of half a second: %v", wait)
	}
	if ok, wait := rate.Take(1, 100, start); ok || wait != 510*time.Millisecond {
		t.Fatalf("take in debt: %v, %v", ok, wait)
	}
	if ok, _ := rate.Take(1, 100, at(510*time.Millisecond)); !ok {
		t.Fatal("the debt is paid")
	}
}

func TestNoLimit(t *testing.T) {
	rate := meter.Local().Rate("acme publish_rate")
	if ok, wait := rate.Take(1<<40, 0, start); !ok || wait != 0 {
		t.Error("taken without a limit")
	}
	if wait := rate.Debit(1<<40, 0, start); wait != 0 {
		t.Error("owed without a limit")
	}
}

func TestHandlesOfAKeyShareABucket(t *testing.T) {
	m := meter.Local()
	if ok, _ := m.Rate("acme api_rate").Take(10, 10, start); !ok {
		t.Fatal("full")
	}
	if ok, _ := m.Rate("acme api_rate").Take(1, 10, start); ok {
		t.Error("another bucket")
	}
	if ok, _ := m.Rate("other api_rate").Take(1, 10, start); !ok {
		t.Error("another key's bucket")
	}
}

func TestTheRateMayChange(t *testing.T) {
	rate := meter.Local().Rate("acme api_rate")
	rate.Take(1, 1000, start)
	if ok, _ := rate.Take(11, 10, start); !ok {
		t.Fatal("one that fills the bucket")
	}
	if ok, _ := rate.Take(1, 10, start); ok {
		t.Error("the lowered rate holds at once")
	}
}

func TestBothAdmitOrNoneIsTaken(t *testing.T) {
	m := meter.Local()
	app := meter.Limit{Rate: m.Rate("acme/chat publish_rate"), PerSecond: 10}
	org := meter.Limit{Rate: m.Rate("acme publish_rate"), PerSecond: 4}
	if ok, _ := meter.TakeAll(4, start, app, org); !ok {
		t.Fatal("both have four")
	}
	if ok, wait := meter.TakeAll(2, start, app, org); ok || wait != 500*time.Millisecond {
		t.Fatalf("the organization has none: %v, %v", ok, wait)
	}
	if left, _ := app.Rate.Left(10, start); left != 6 {
		t.Errorf("the app lost what the organization refused: %d left", left)
	}
	if wait := meter.DebitAll(2, start, app, org); wait != 500*time.Millisecond {
		t.Errorf("owed to the organization: %v", wait)
	}
}

func TestCounts(t *testing.T) {
	m := meter.Local()
	mine := m.Count("acme connections")
	mine.Add(3)
	m.Count("acme connections").Add(-1)
	if got := mine.Total(); got != 2 {
		t.Errorf("total %d", got)
	}
	if got := m.Count("other connections").Total(); got != 0 {
		t.Errorf("another key's total %d", got)
	}
}
