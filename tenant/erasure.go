package tenant

import "time"

// Erasure is an app, or a whole organization, that is gone for everybody and
// that has left things where only a worker erases them.
type Erasure struct {
	Organization string
	App          string // empty: the whole organization
	DeletedAt    time.Time
}
