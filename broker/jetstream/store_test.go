package jetstream_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// TestStoreOfReplicas counts in records from two nodes by compare-and-set while
// the leader of the bucket stops: no step is lost. One whose answer was lost with
// the leader, and that the other node has built upon since, is a conflict and is
// done again: at most one for each node and record.
func TestStoreOfReplicas(t *testing.T) {
	servers := startCluster(t)
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.ClientURL())
	}
	cfg := jetstream.Config{URL: strings.Join(urls, ","), Shards: 1, Replicas: 3}
	cfg.Node = "node-a"
	a := open(t, cfg)
	cfg.Node = "node-b"
	b := open(t, cfg)
	const keys, steps = 20, 30
	var wg sync.WaitGroup
	half := make(chan struct{}, 2*keys)
	for i := range keys {
		for _, node := range []*jetstream.Bus{a, b} {
			wg.Go(func() { count(t, node, fmt.Sprintf("acme/chat/ana/%d", i), steps, half) })
		}
	}
	for range keys {
		<-half
	}
	leader := streamNamed(t, a, "KV_SESSIONS").CachedInfo().Cluster.Leader
	for _, s := range servers {
		if s.Name() == leader {
			s.Shutdown()
		}
	}
	wg.Wait()
	for i := range keys {
		if s := load(t, a, fmt.Sprintf("acme/chat/ana/%d", i)); s.Record == nil || s.Record.Epoch < 2*steps || s.Record.Epoch > 2*steps+2 {
			t.Errorf("record %d: %+v", i, s.Record)
		}
	}
}

// count raises the epoch of a record that many times. Like the driver it saves
// again with what it knows when it hears nothing, and loads when it was late.
func count(t *testing.T, b *jetstream.Bus, key string, steps int, half chan<- struct{}) {
	var s broker.Stored
	known := false
	for step := 0; step < steps; {
		if !known {
			loaded, err := await(t, func(fn func(broker.Stored, error)) { b.Load(key, fn) })
			if err != nil {
				continue
			}
			s, known = loaded, true
		}
		next := broker.Record{Owner: b.Instance()}
		if s.Record != nil {
			next.Epoch = s.Record.Epoch
		}
		next.Epoch++
		revision, err := trySave(t, b, key, &next, s.Revision)
		switch {
		case err == nil:
			s = broker.Stored{Record: &next, Revision: revision}
			if step++; step == steps/2 {
				half <- struct{}{}
			}
		case errors.Is(err, broker.ErrConflict):
			known = false
		}
	}
}

// TestManyErrands has more under way than the window holds, and more than it
// takes.
func TestManyErrands(t *testing.T) {
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	const many = 5000
	saved := make(chan error, many)
	n.stop()
	for i := range many {
		b.Save(fmt.Sprintf("acme/chat/ana/%d", i), richRecord(), 0, func(_ uint64, err error) { saved <- err })
	}
	jetstream.SetErrands(b, many)
	if _, err := trySave(t, b, "acme/chat/ana/more", richRecord(), 0); !errors.Is(err, broker.ErrOverloaded) {
		t.Errorf("one too many: %v", err)
	}
	n.start()
	for range many {
		if err := <-saved; err != nil {
			t.Fatal(err)
		}
	}
	if got := streamNamed(t, b, "KV_SESSIONS").CachedInfo().State.LastSeq; got != many {
		t.Errorf("%d writes of %d records", got, many)
	}
	save(t, b, "acme/chat/ana/more", richRecord(), 0)
}

// TestStoreGivesUp answers in time when NATS does not.
func TestStoreGivesUp(t *testing.T) {
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	stop := jetstream.LoseAnswers(b)
	n.stop()
	if _, err := await(t, func(fn func(broker.Stored, error)) { b.Load("acme/chat/ana/x", fn) }); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("load: %v", err)
	}
	if err := erase(t, b, "acme/chat/ana/x", 1); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("erase: %v", err)
	}
	n.start()
	stop()
	eventually(t, "back", func() bool {
		_, err := await(t, func(fn func(broker.Stored, error)) { b.Load("acme/chat/ana/x", fn) })
		return err == nil
	})
}

// BenchmarkRecords is a connect as the store sees it: a record is read and
// written by compare-and-set, by many sessions at once.
func BenchmarkRecords(b *testing.B) {
	for _, n := range []int{1, 100, 5000} {
		b.Run(fmt.Sprintf("%d at once", n), func(b *testing.B) {
			bus := openAlone(b, jetstream.Config{})
			b.ReportAllocs()
			r := richRecord()
			r.Inflight, r.Acked = nil, nil
			slots := make(chan int, n)
			for i := range n {
				slots <- i
			}
			for b.Loop() {
				i := <-slots
				key := fmt.Sprintf("acme/chat/ana/%d", i)
				bus.Load(key, func(s broker.Stored, err error) {
					if err != nil {
						b.Error(err)
					}
					bus.Save(key, r, s.Revision, func(_ uint64, err error) {
						if err != nil {
							b.Error(err)
						}
						slots <- i
					})
				})
			}
			for range n {
				<-slots
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "connects/s")
		})
	}
}

func BenchmarkRecordCodec(b *testing.B) {
	r := richRecord()
	data := jetstream.AppendRecord(nil, "acme/chat/ana/phone", r)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			data = jetstream.AppendRecord(data[:0], "acme/chat/ana/phone", r)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := jetstream.ParseRecord(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(len(data)), "bytes")
}

// TestListGoesOn lists wills while their consumer is lost again and again.
func TestListGoesOn(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	const many = 2000
	put := make(chan error, many)
	for i := range many {
		b.PutWill(will("i1", fmt.Sprintf("acme/chat/ana/%d", i)), func(_ uint64, err error) { put <- err })
	}
	for range many {
		if err := <-put; err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	var deleting sync.WaitGroup
	deleting.Go(func() {
		s := streamNamed(t, b, "KV_WILLS")
		for times := 0; times < 3; {
			select {
			case <-done:
				return
			case name := <-s.ConsumerNames(t.Context()).Name():
				if name != "" && s.DeleteConsumer(t.Context(), name) == nil {
					times++
				}
			}
		}
	})
	for range 3 {
		all := wills(t, b, "i1")
		if len(all) != many || all[many-1].Revision != many || time.Time.IsZero(all[0].Due) {
			t.Errorf("%d wills", len(all))
		}
	}
	close(done)
	deleting.Wait()
}
