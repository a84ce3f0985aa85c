// Package conformance tests a running broker from outside, by the clauses of
// MQTT 3.1, 3.1.1 and 5.0, over every transport. It has a packet writer and a
// reader of its own: a mistake that the broker's codec makes on both sides
// would not show in a test that used it. DESIGN.md says how to run it, also
// against other brokers.
//
//go:generate go run ./list -root ../..
package conformance
