package conformance_test

import "time"

// until lets time pass: what is tested is that something happens, or does not,
// after a while of real time.
func (r *run) until(milliseconds int) {
	r.Helper()
	select {
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
	case <-r.Context().Done():
	}
}
