// Package torture sends spoilt packets to sessions, millions of them, under a
// memory cap: whatever a client sends, the server neither crashes nor leaks.
// make torture is the long form.
package torture
