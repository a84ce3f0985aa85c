package meter

import "slices"

// portion returns how much of a limit is the node's that wants mine when the
// other nodes want others. Who wants less than an equal part gets it, the rest
// is divided equally among those that want more, and what nobody wants among
// all. The portions of all nodes are the limit.
func portion(limit, mine int64, others []int64) float64 {
	wants := slices.Sorted(slices.Values(append([]int64{mine}, others...)))
	rest := float64(limit)
	for i, want := range wants {
		equal := rest / float64(len(wants)-i)
		if float64(want) >= equal {
			return min(float64(mine), equal) // nothing is left over
		}
		rest -= float64(want)
	}
	return float64(mine) + rest/float64(len(wants))
}
