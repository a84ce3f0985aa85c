// Package topic knows MQTT topic names and topic filters: which are well
// formed, which match, which filter contains another, and who is subscribed.
// It is pure: no I/O, no clock, no locks.
package topic
