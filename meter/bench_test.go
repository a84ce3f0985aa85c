package meter_test

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/internal/testenv"
	"github.com/fanfare-mq/fanfare/meter"
)

func BenchmarkTake(b *testing.B) {
	rate := meter.Local().Rate("acme publish_rate")
	now := start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		rate.Take(1, 1_000_000, now)
	}
}

func BenchmarkTakeAtOnce(b *testing.B) {
	rate := meter.Local().Rate("acme publish_rate")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			rate.Take(1, 1_000_000, start)
		}
	})
}

// BenchmarkExchange is what a node does five times a second when all of so many
// tenants are at their limits.
func BenchmarkExchange(b *testing.B) {
	for _, keys := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			m, err := meter.New(meter.Config{URL: testenv.Redis(b), Prefix: "test-" + rand.Text() + ":"})
			if err != nil {
				b.Fatal(err)
			}
			rates := make([]*meter.Rate, keys)
			for i := range rates {
				rates[i] = m.Rate(fmt.Sprintf("org-%d publish_rate", i))
			}
			now := start
			for b.Loop() {
				now = now.Add(meter.Every)
				for _, rate := range rates {
					rate.Debit(1000, 1000, now)
				}
				if m.Exchange(b.Context(), now); !m.Shared() {
					b.Fatal("Redis is away")
				}
			}
		})
	}
}
