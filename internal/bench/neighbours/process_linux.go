package neighbours

import "syscall"

// lowerPriority is for this process.
func lowerPriority(nice int) error { return syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice) }
