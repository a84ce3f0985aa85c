package serve

import "time"

// For tests.
var (
	ConnectionsFor = connectionsFor
	OpenFiles      = openFiles
)

// Slices is what all parts of a stop are kept together, and how long it may
// take.
func Slices() (sum, most time.Duration) {
	for _, part := range new(process).parts() {
		sum += part.slice
	}
	return sum, stopTimeout
}
