package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// ticksPerSecond is the kernel's USER_HZ, 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// CPUTime is the user and system time a process has used, in seconds; pid 0 is
// this process.
func CPUTime(pid int) (float64, error) {
	name := "/proc/self/stat"
	if pid != 0 {
		name = fmt.Sprintf("/proc/%d/stat", pid)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	// The second field, the command, may hold anything but ends with the last ')'.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	const utime, stime = 11, 12 // proc(5), counted from the third field
	if len(fields) <= stime {
		return 0, fmt.Errorf("%s: unexpected content", name)
	}
	user, err := strconv.ParseFloat(string(fields[utime]), 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(string(fields[stime]), 64)
	return (user + system) / ticksPerSecond, err
}

// memory is how much of a process is in memory, in bytes, without what it
// shares with files.
func memory(pid int) (int64, error) {
	name := fmt.Sprintf("/proc/%d/statm", pid)
	b, err := os.ReadFile(name) //nolint:gosec // of a process by its number
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(b)
	const resident, shared = 1, 2 // proc(5), in pages
	if len(fields) <= shared {
		return 0, fmt.Errorf("%s: unexpected content", name)
	}
	all, err := strconv.ParseInt(string(fields[resident]), 10, 64)
	if err != nil {
		return 0, err
	}
	files, err := strconv.ParseInt(string(fields[shared]), 10, 64)
	return (all - files) * int64(os.Getpagesize()), err
}
