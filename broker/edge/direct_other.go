//go:build !unix

package edge

// direct writes nothing where a socket cannot be written without waiting.
func (t *transport) direct([]byte) int { return 0 }
