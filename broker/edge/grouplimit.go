package edge

import (
	"sync"
	"time"
)

// groupLimit counts the share groups of each app on this node: those with
// members, and those that were left and live on in the log until they expire.
// Without it a stranger could fill the log's servers with groups.
type groupLimit struct {
	most int

	mu   sync.Mutex // guards apps
	apps map[string]map[groupKey]time.Time
}

// join counts a group, if it is not counted yet. It is false if there are too
// many.
func (l *groupLimit) join(app string, key groupKey, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	groups := l.apps[app]
	if _, known := groups[key]; !known && len(groups) >= l.most {
		for other, until := range groups {
			if passedAt(until, now) {
				delete(groups, other)
			}
		}
		if len(groups) >= l.most {
			return false
		}
	}
	if groups == nil {
		groups = make(map[groupKey]time.Time)
		l.apps[app] = groups
	}
	groups[key] = time.Time{}
	return true
}

// leave notes that a group has no member here and when it may be gone.
func (l *groupLimit) leave(app string, key groupKey, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if groups := l.apps[app]; groups != nil {
		groups[key] = until
	}
}

// passedAt reports whether t is over at now; zero never is.
func passedAt(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }
