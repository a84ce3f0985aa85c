package broker

// Generation is a span of a shard's life in which no sequence was given out
// twice. A power loss or a restore may take the end of the log; what is then
// appended gets sequences that others had before.
type Generation struct {
	// Number rises from one generation to the next; it is about the Unix
	// milliseconds of its beginning.
	Number uint64
	// Start is the first sequence that belongs to it.
	Start uint64
}
