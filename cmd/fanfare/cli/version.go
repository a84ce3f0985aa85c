package cli

import (
	"runtime"
	"runtime/debug"
)

// version is set by the linker for releases (-X); otherwise the build's own
// record is used.
var version string

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(t *terminal) error {
	t.say("fanfare %s (%s, %s/%s)", Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// Version is the version of this binary.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown)"
	}
	return info.Main.Version
}
