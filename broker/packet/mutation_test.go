package packet_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// Mutated packets never do more than end in an error of the registry, and
// leave nothing behind. FANFARE_TEST_MUTATIONS says how many, for the long run.
func TestMutatedPackets(t *testing.T) {
	const maxGrowth = 8 << 20 // bytes of heap
	count := 50_000
	if s := os.Getenv("FANFARE_TEST_MUTATIONS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		count = n
	}
	seeds := append(samples(), samples5()...)
	random := rand.New(rand.NewPCG(1, 2))
	before := heap()
	for range count {
		seed := seeds[random.IntN(len(seeds))]
		frame, n, err := packet.Split(mutate(random, []byte(seed)), 0)
		if err != nil {
			checkError(t, err)
		} else if n > 0 {
			frame.Version = versions[random.IntN(len(versions))]
			checkFrame(t, frame)
		}
	}
	if after := heap(); after > before+maxGrowth {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}

// mutate changes a few bytes of a packet, and mostly mends its length after.
func mutate(random *rand.Rand, b []byte) []byte {
	for range 1 + random.IntN(4) {
		i := random.IntN(len(b))
		switch random.IntN(5) {
		case 0:
			b[i] ^= 1 << random.IntN(8)
		case 1:
			b[i] = byte(random.IntN(256))
		case 2: // insert
			b = append(b[:i], append([]byte{byte(random.IntN(256))}, b[i:]...)...)
		case 3: // remove
			if len(b) > 2 {
				b = append(b[:i], b[i+1:]...)
			}
		case 4: // repeat
			b = append(b, b[i:]...)
		}
	}
	if len(b) >= 2 && len(b) < 130 && random.IntN(4) > 0 {
		b[1] = byte(len(b) - 2)
	}
	return b
}

// heap is the number of bytes that are alive.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
