package presence_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// BenchmarkClaim is a storm: everybody claims at once. Claims of a second must
// be far above the connects that a node takes in one, some 20,000.
func BenchmarkClaim(b *testing.B) {
	r := startRedis(b, testenv.Redis(b), newPrefix())
	b.ReportAllocs()
	b.ResetTimer()
	var wait sync.WaitGroup
	under := make(chan struct{}, 20_000) // way
	for i := range b.N {
		wait.Add(1)
		under <- struct{}{}
		r.Claim("acme/chat/user-"+strconv.Itoa(i%100_000)+"/phone", "instance", func(_ uint64, _ string, err error) {
			<-under
			wait.Done()
			if err != nil {
				b.Error(err)
			}
		})
	}
	wait.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "claims/s")
}
