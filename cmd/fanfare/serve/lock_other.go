//go:build !unix

package serve

import "os"

// lock does nothing: the database and the log hold locks of their own there.
func lock(*os.File) error { return nil }
