package auth_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// inBubble runs a test with a directory over one app, on a clock that moves
// when everything waits.
func inBubble(t *testing.T, test func(t *testing.T, d *auth.Directory, src *source)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		src := newSource(entry("acme", "chat"))
		test(t, auth.NewDirectory(src, time.Now), src)
	})
}

// opened is acme/chat with a rule that lets everybody publish to acme/x, and
// mayPublish asks an app's policy for that.
func opened() tenant.Entry { return entry("acme", "chat", rule(tenant.Allow, tenant.All, "acme/x")) }

func mayPublish(a *auth.App) bool { return a.Policy().MayPublish(&bob, "acme/x") }

func wantReads(t *testing.T, src *source, want int) {
	t.Helper()
	if got := src.count(); got != want {
		t.Errorf("the source was read %d times, want %d", got, want)
	}
}

func TestDirectoryReadsOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		for range 3 {
			a := lookUp(t, d, "acme", "chat")
			if got := a.Entry(); got.App.TopicPrefix() != "acme/chat" || len(got.SigningKeys) != 1 {
				t.Errorf("got %+v", got.App)
			}
		}
		wantReads(t, src, 1)
		for range 3 {
			a, err := d.AppByKID(t.Context(), testKID("acme", "chat"))
			if err != nil || a.Entry().App.TopicPrefix() != "acme/chat" {
				t.Fatal(err)
			}
		}
		wantReads(t, src, 1) // whose key it is; the app was there
	})
}

func TestDirectoryReadsOnceForMany(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		release := src.hang()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { lookUp(t, d, "acme", "chat") })
			wg.Go(func() {
				_, err := d.App(t.Context(), "acme", "nope")
				wantFault(t, err, fault.NotFound)
			})
		}
		synctest.Wait()
		release()
		wg.Wait()
		wantReads(t, src, 2)
	})
}

// Who gives up does not spoil it for the others.
func TestDirectoryWaitEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		release := src.hang()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := d.App(ctx, "acme", "chat")
			wantFault(t, err, fault.Unavailable)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { lookUp(t, d, "acme", "chat") })
		synctest.Wait()
		cancel()
		synctest.Wait()
		release()
		wg.Wait()
		wantReads(t, src, 1)
	})
}

func TestDirectoryRefreshesAfterAMinute(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		a := lookUp(t, d, "acme", "chat")
		src.set(opened()) // and the invalidation gets lost
		time.Sleep(59 * time.Second)
		if mayPublish(lookUp(t, d, "acme", "chat")) {
			t.Error("read again before its time")
		}
		time.Sleep(time.Second)
		if !mayPublish(lookUp(t, d, "acme", "chat")) || !mayPublish(a) {
			t.Error("the change is not noticed after a minute")
		}
		wantReads(t, src, 2)
	})
}

// A device that stays connected looks nothing up; its decisions ask.
func TestDecisionsRefreshInTheBackground(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		a := lookUp(t, d, "acme", "chat")
		src.set(opened())
		time.Sleep(time.Minute)
		release := src.hang()
		for range 10 {
			if mayPublish(a) { // does not wait
				t.Error("got what was not read yet")
			}
		}
		release()
		synctest.Wait()
		if !mayPublish(a) {
			t.Error("the change is not noticed")
		}
		wantReads(t, src, 2)
	})
}

func TestInvalidateReachesALiveApp(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		a := lookUp(t, d, "acme", "chat")
		src.set(opened())
		d.Invalidate("acme", "chat")
		synctest.Wait()
		if !mayPublish(a) { // nobody has looked anything up
			t.Error("the holder does not see the change")
		}
		if !mayPublish(lookUp(t, d, "acme", "chat")) {
			t.Error("a look-up does not see the change")
		}
		wantReads(t, src, 2)
		d.Invalidate("acme", "shop") // nobody knows it
		synctest.Wait()
		wantReads(t, src, 0)
	})
}

// TestChanges: a policy is another one only if the rules are, and whoever waits
// for changes hears of those that somebody may hold.
func TestChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		a := lookUp(t, d, "acme", "chat")
		if n := d.Changes(); n != 0 {
			t.Errorf("%d changes after the first look-up", n)
		}
		was := a.Policy()
		reread := func(what string, changed bool) {
			t.Helper()
			before := d.Changes()
			d.Invalidate("acme", "chat")
			synctest.Wait()
			if (d.Changes() != before) != changed {
				t.Errorf("%s: a change is told: %v", what, !changed)
			}
			if now := a.Policy(); (now != was) != changed {
				t.Errorf("%s: the policy is another: %v", what, now != was)
			}
			was = a.Policy()
		}
		reread("nothing", false)
		src.set(opened())
		reread("a rule", true)
		reread("nothing more", false)
		mounted := opened()
		mounted.App.Settings.Mounted = true
		src.set(mounted)
		reread("mounted", true)
		renamed := mounted
		renamed.App.Name, renamed.SigningKeys = "Another", nil
		src.set(renamed)
		before := d.Changes()
		d.Invalidate("acme", "chat")
		synctest.Wait()
		if d.Changes() == before || a.Policy() != was {
			t.Error("a key that was taken away is no change, or makes another policy")
		}
		src.remove("acme/chat")
		reread("the end", true)
		if mayPublish(a) {
			t.Error("an app that is gone allows something")
		}
	})
}

func TestLookUpAfterInvalidateSeesTheChange(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		lookUp(t, d, "acme", "chat")
		src.set(opened())
		d.Invalidate("acme", "chat")
		if !mayPublish(lookUp(t, d, "acme", "chat")) {
			t.Error("got what was there before")
		}
	})
}

// A read that was under way may bring what was there before the change. It
// must not be taken for the answer, neither the first time nor later.
func TestInvalidateOverridesAReadUnderWay(t *testing.T) {
	for name, known := range map[string]bool{"first read": false, "refresh": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
				if known {
					lookUp(t, d, "acme", "chat")
					d.Invalidate("acme", "chat")
					synctest.Wait()
				}
				time.Sleep(time.Minute)
				release := src.hang()
				var wg sync.WaitGroup
				wg.Go(func() { lookUp(t, d, "acme", "chat") })
				synctest.Wait() // it has read the old rules and hangs
				src.set(opened())
				releaseNew := src.hang()
				d.Invalidate("acme", "chat")
				var a *auth.App
				wg.Go(func() { a = lookUp(t, d, "acme", "chat") })
				synctest.Wait()
				releaseNew()
				synctest.Wait()
				release() // the older answer comes last
				wg.Wait()
				if !mayPublish(a) || !mayPublish(lookUp(t, d, "acme", "chat")) {
					t.Error("the old rules are back")
				}
			})
		})
	}
}

func TestStaleWhileTheSourceIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		a := lookUp(t, d, "acme", "chat")
		src.set(opened())
		src.fail(errAway)
		d.Invalidate("acme", "chat")
		synctest.Wait()
		src.count()
		for range 120 {
			if lookUp(t, d, "acme", "chat").Entry().App.ID != "chat" || mayPublish(a) {
				t.Fatal("the last known state is gone")
			}
			time.Sleep(time.Second)
		}
		if n := src.count(); n < 20 || n > 30 {
			t.Errorf("the source was tried %d times in two minutes", n)
		}
		src.fail(nil)
		time.Sleep(5 * time.Second)
		if !mayPublish(lookUp(t, d, "acme", "chat")) {
			t.Error("the change is not noticed when the source is back")
		}
	})
}

// A source that does not even say no costs a connect a second now and then.
func TestHangingSourceHardlyDelays(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		lookUp(t, d, "acme", "chat")
		time.Sleep(time.Minute)
		defer src.hang()()
		for range 30 {
			began := time.Now()
			lookUp(t, d, "acme", "chat")
			if took := time.Since(began); took > time.Second {
				t.Errorf("a look-up took %v", took)
			}
			time.Sleep(time.Second / 2)
		}
		began := time.Now()
		_, err := d.App(t.Context(), "acme", "shop") // nothing old to serve
		wantFault(t, err, fault.Unavailable)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}

func TestNotFoundIsBelievedForAMoment(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		missing := func() {
			t.Helper()
			_, err := d.App(t.Context(), "acme", "shop")
			wantFault(t, err, fault.NotFound)
			_, err = d.AppByKID(t.Context(), testKID("acme", "shop"))
			wantFault(t, err, fault.NotFound)
		}
		for range 5 {
			missing()
		}
		wantReads(t, src, 2)
		time.Sleep(5 * time.Second)
		missing()
		wantReads(t, src, 2)

		src.set(entry("acme", "shop"))
		missing()
		d.Invalidate("acme", "shop")
		lookUp(t, d, "acme", "shop")
	})
}

// Made-up names must not fill the memory, nor push out the apps there are.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	const bound = 10_000
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		lookUp(t, d, "acme", "chat")
		src.count()
		flood := func() {
			for i := range 2 * bound {
				_, err := d.App(t.Context(), "nobody", strconv.Itoa(i))
				wantFault(t, err, fault.NotFound)
			}
		}
		flood()
		wantReads(t, src, 2*bound)
		flood()
		if n := src.count(); n < bound {
			t.Errorf("%d of %d names are remembered", 2*bound-n, 2*bound)
		}
		lookUp(t, d, "acme", "chat")
		wantReads(t, src, 0)
	})
}

// An app in use is one thing even when the cache has dropped it.
func TestInvalidateReachesAnAppThatWasDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		a := lookUp(t, d, "acme", "chat")
		for i := range 50_000 { // which one is dropped is chance: this one at 49:1
			name := strconv.Itoa(i)
			src.set(entry("many", name))
			lookUp(t, d, "many", name)
			src.remove("many/" + name)
		}
		runtime.GC()
		src.set(opened())
		src.count()
		d.Invalidate("acme", "chat")
		synctest.Wait()
		if !mayPublish(a) || !mayPublish(lookUp(t, d, "acme", "chat")) {
			t.Error("the holder does not see the change")
		}
		wantReads(t, src, 1)
	})
}

func TestDeletedAppAllowsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		src.set(opened())
		a := lookUp(t, d, "acme", "chat")
		if _, err := d.AppByKID(t.Context(), testKID("acme", "chat")); err != nil {
			t.Fatal(err)
		}
		src.remove("acme/chat")
		d.Invalidate("acme", "chat")
		_, err := d.App(t.Context(), "acme", "chat")
		wantFault(t, err, fault.NotFound)
		_, err = d.AppByKID(t.Context(), testKID("acme", "chat"))
		wantFault(t, err, fault.NotFound)
		if mayPublish(a) || a.Policy().MaySubscribe(&bob, "acme/chat/topics/x") || len(a.Entry().SigningKeys) != 0 {
			t.Error("a connected device goes on")
		}
		if a.Entry().App.TopicPrefix() != "acme/chat" {
			t.Errorf("got %+v", a.Entry().App)
		}

		src.set(opened()) // another app of the same name is not the same app
		d.Invalidate("acme", "chat")
		if !mayPublish(lookUp(t, d, "acme", "chat")) || mayPublish(a) {
			t.Error("the new app and the old one are mixed up")
		}
	})
}

func TestRevokedSigningKeyIsNotFound(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		if _, err := d.AppByKID(t.Context(), testKID("acme", "chat")); err != nil {
			t.Fatal(err)
		}
		e := entry("acme", "chat")
		e.SigningKeys = nil
		src.set(e)
		d.Invalidate("acme", "chat")
		_, err := d.AppByKID(t.Context(), testKID("acme", "chat"))
		wantFault(t, err, fault.NotFound)
	})
}

// Rules that cannot be understood could have been denials.
func TestBrokenRulesOpenNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, d *auth.Directory, src *source) {
		a := lookUp(t, d, "acme", "chat")
		src.set(entry("acme", "chat", rule("maybe", tenant.All, "acme/x")))
		d.Invalidate("acme", "chat")
		synctest.Wait()
		if mayPublish(a) || !a.Policy().MaySubscribe(&bob, "acme/chat/topics/x") {
			t.Error("the last good rules are gone")
		}
		fresh := auth.NewDirectory(src, time.Now)
		_, err := fresh.App(t.Context(), "acme", "chat")
		wantFault(t, err, fault.Internal)
	})
}

func TestDirectoryRace(t *testing.T) {
	src := newSource(entry("acme", "chat"), entry("acme", "shop"))
	d := auth.NewDirectory(src, time.Now)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				app := []string{"chat", "shop", "nope"}[(g+i)%3]
				if a, err := d.App(t.Context(), "acme", app); err == nil {
					mayPublish(a)
				}
				if i%10 == 0 {
					d.Invalidate("acme", app)
				}
				_, _ = d.AppByKID(t.Context(), testKID("acme", app))
			}
		})
	}
	wg.Wait()
}
