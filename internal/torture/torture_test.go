package torture_test

import (
	"flag"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

var (
	packets = flag.Int("packets", 200_000, "how many spoilt packets to send")
	seed    = flag.Uint64("seed", 0, "repeats a run; 0 takes another one each time")
)

const (
	// memoryLimit is what the Go runtime may take; beyond heapCap live at any
	// of the looks the test fails.
	memoryLimit = 256 << 20 // bytes
	heapCap     = 16 << 20  // bytes; usually less than 1 MiB is live
	looks       = 20
	// perConnection is how many packets a connection may live through.
	perConnection = 300
)

// TestTorture sends spoilt packets to one session after the other. It prints
// the seed with which it can be run again.
func TestTorture(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(memoryLimit))
	start := *seed
	if start == 0 {
		start = uint64(time.Now().UnixNano())
	}
	d := newDriver(start)
	var sent []byte
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("-seed %d: % x: panic: %v\n%s", start, sent, r, debug.Stack())
		}
	}()
	began, peak := time.Now(), uint64(0)
	for i := range *packets {
		if d.session == nil || d.session.Closed() || i%perConnection == 0 {
			d.open()
			d.feed([]byte(seeds[d.IntN(connects)]))
		}
		sent = d.next()
		d.feed(sent)
		if d.IntN(8) == 0 {
			d.disturb()
		}
		if d.broken != nil {
			t.Fatalf("-seed %d: after % x: %v", start, sent, d.broken)
		}
		if (i+1)%(*packets/looks) == 0 {
			peak = max(peak, look(t, start, i+1))
		}
	}
	t.Logf("%d packets in %v, %d clients accepted, at most %d KiB live, seed %d, ends: %v",
		*packets, time.Since(began).Round(time.Millisecond), d.accepted, peak>>10, start, d.reasons)
	if d.accepted == 0 || len(d.reasons) < 8 {
		t.Errorf("-seed %d: too little happened: %d accepted, ends %v", start, d.accepted, d.reasons)
	}
}

// look returns the bytes that are live, and fails if they are more than the cap.
func look(t *testing.T, start uint64, done int) uint64 {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > heapCap {
		t.Fatalf("-seed %d: %d bytes are live after %d packets", start, m.HeapAlloc, done)
	}
	return m.HeapAlloc
}
