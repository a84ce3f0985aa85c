package auth

import (
	"context"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// refreshWait is how long a connect waits for key sets to be asked for a key
// that they do not have yet.
const refreshWait = 3 * time.Second

// ownKIDPrefix begins the kids of our own keys.
const ownKIDPrefix = "sk_"

// Refresher asks the addresses of key sets for their newest keys.
type Refresher interface {
	// Refresh has those sets of one app asked that were not a moment ago, and
	// returns when they have answered or ctx ends. By then the directory was told
	// what has changed. It fails if one of them does not answer, now or when it
	// was last asked.
	Refresh(ctx context.Context, sets []tenant.KeySet) error
}

// UseRefresher has key sets asked for keys that they are not known to have. It
// is called before the first device.
func (v *Devices) UseRefresher(r Refresher) { v.refresher = r }

// NoteUses has the use of signing keys and key sets remembered. It is called
// before the first device.
func (v *Devices) NoteUses(u *Usage) { v.usage = u }

// newKey looks for a key that is not known here yet, or returns nil.
func (v *Devices) newKey(ctx context.Context, app *App, kid string, alg tenant.Algorithm) (*verifier, error) {
	if strings.HasPrefix(kid, ownKIDPrefix) && len(kid) <= maxOwnKID {
		if err := v.directory.catchUp(ctx, app, kid); err != nil {
			return nil, err
		}
		if key := app.verifiers().find(kid, alg); key != nil {
			return key, nil
		}
	}
	return v.refreshed(ctx, app, kid, alg)
}

// refreshed looks for a key that no key set of an app has yet. A key that may be
// at an address that does not answer is Unavailable.
func (v *Devices) refreshed(ctx context.Context, app *App, kid string, alg tenant.Algorithm) (*verifier, error) {
	entry := app.Entry()
	if v.refresher == nil || len(entry.KeySets) == 0 || !published(alg) {
		return nil, nil //nolint:nilnil // there is no such key, and nothing is wrong with it
	}
	waiting, cancel := context.WithTimeout(ctx, refreshWait)
	defer cancel()
	failed := v.refresher.Refresh(waiting, entry.KeySets)
	app, err := v.directory.App(ctx, entry.App.Organization, entry.App.ID)
	if err != nil {
		return nil, err
	}
	key := app.verifiers().find(kid, alg)
	if key == nil && failed != nil {
		return nil, fault.Wrap(fault.Unavailable, "a key set that may have the token's key does not answer", failed)
	}
	return key, nil
}

// published says whether keys of an algorithm can come from key sets.
func published(alg tenant.Algorithm) bool {
	return alg == tenant.RS256 || alg == tenant.ES256 || alg == tenant.EdDSA
}
