package broker_test

import (
	"reflect"
	"testing"

	"github.com/fanfare-mq/fanfare/broker"
)

// record is of generation 2, and has come to 100.
func record() *broker.Record {
	return &broker.Record{
		Generation: 2, Floor: 90, Acked: []uint64{93, 97, 99},
		Subscriptions: []broker.Subscription{{Filter: "acme/a", Start: 10}, {Filter: "acme/b", Start: 95}},
		Inflight: []broker.Flight{
			{PacketID: 1, Seq: 91, QoS: 1},
			{PacketID: 2, Seq: 98, QoS: 1},
			{PacketID: 3, Seq: 100, QoS: 2},
			{PacketID: 4, Seq: 96, QoS: 2, Released: true},
		},
	}
}

// A sequence from the beginning of a later generation on is another message's.
func TestRenewCuts(t *testing.T) {
	r := record()
	// The log lost its end twice; it was shortest when generation 3 began.
	if !r.Renew([]broker.Generation{{4, 141}, {1, 1}, {3, 95}, {2, 41}}) {
		t.Fatal("nothing cut")
	}
	want := &broker.Record{
		Generation: 4, Floor: 90, Acked: []uint64{93},
		Subscriptions: []broker.Subscription{{Filter: "acme/a", Start: 10}, {Filter: "acme/b", Start: 94}},
		Inflight: []broker.Flight{
			{PacketID: 1, Seq: 91, QoS: 1}, {PacketID: 3, QoS: 2, Released: true}, {PacketID: 4, QoS: 2, Released: true},
		},
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

func TestRenewCutsTheFloor(t *testing.T) {
	r := record()
	r.Renew([]broker.Generation{{3, 51}})
	if r.Floor != 50 || len(r.Acked) > 0 || r.Generation != 3 {
		t.Errorf("%+v", r)
	}
}

// A restart that lost nothing changes nothing, and neither does the record's own
// generation.
func TestRenewKeeps(t *testing.T) {
	r, want := record(), record()
	want.Generation = 3
	if r.Renew([]broker.Generation{{3, 101}, {2, 4}}) || !reflect.DeepEqual(r, want) {
		t.Errorf("%+v", r)
	}
}

// A record that does not say of which generation it is loses nothing.
func TestRenewOfUnknownGeneration(t *testing.T) {
	r := record()
	r.Generation = 0
	if r.Renew([]broker.Generation{{1, 1}, {2, 50}}) || r.Floor != 90 || r.Generation != 2 {
		t.Errorf("%+v", r)
	}
}

// What Renew is given may be shared.
func TestRenewTouchesNothingShared(t *testing.T) {
	r := record()
	shared := *r
	r.Renew([]broker.Generation{{3, 1}})
	if !reflect.DeepEqual(&shared, record()) {
		t.Errorf("%+v", shared)
	}
}
