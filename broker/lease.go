package broker

import "time"

// LeaseState is what is known of an instance.
type LeaseState byte

// An instance is alive until it leaves, having closed its sessions, or others
// find it dead.
const (
	LeaseAlive LeaseState = iota + 1
	LeaseDead
	LeaseLeft
)

// Lease is an instance's entry in the cluster's list: one start of one node.
// While it lives it renews the entry, so that its revision changes; whoever
// sees it stand still for long may declare the instance dead. The entry of one
// that is gone stays until its wills and sessions have been looked after.
type Lease struct {
	// Instance is the entry's key, Node the name of the node.
	Instance, Node string
	State          LeaseState
	// Since is when the state began, by the clock of who wrote it.
	Since time.Time
	// Shards is how many streams of the log the instance works with.
	Shards int
	// Revision of the entry in the store.
	Revision uint64
}
