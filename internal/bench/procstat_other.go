//go:build !linux

package bench

import "errors"

// CPUTime needs /proc.
func CPUTime(int) (float64, error) {
	return 0, errors.New("the benchmark reads CPU times from /proc and runs on Linux only")
}

// memory needs /proc, too.
func memory(int) (int64, error) {
	return 0, errors.New("the benchmark reads memory from /proc and runs on Linux only")
}
