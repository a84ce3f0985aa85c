package auth_test

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/tenant"
)

// What a device remembers is never wrong: not for many names in turn, not for
// long ones, not when the name's bytes change after the call.
func TestDeviceRemembersRightly(t *testing.T) {
	v, _ := newDevices(t)
	d, err := connect(t, v, "acme/chat", token{}.text(t))
	if err != nil {
		t.Fatal(err)
	}
	long := "/" + fmt.Sprint(make([]int, 200))
	for range 3 {
		for i := range 20 {
			for _, end := range []string{"", long} {
				n := i / 2 // each twice in a row
				if name := fmt.Sprintf("acme/chat/users/ana/up/%d%s", n, end); !d.MayPublish(name) {
					t.Errorf("%q is denied", name)
				}
				if name := fmt.Sprintf("acme/chat/users/bob/up/%d%s", n, end); d.MayPublish(name) {
					t.Errorf("%q is allowed", name)
				}
			}
		}
	}
	buffer := []byte("acme/chat/users/ana/up/now")
	name := unsafe.String(&buffer[0], len(buffer))
	if !d.MayPublish(name) {
		t.Errorf("%q is denied", name)
	}
	copy(buffer, "acme/chat/users/bob/up/now")
	if d.MayPublish(name) {
		t.Errorf("%q is allowed", name)
	}
	if !d.MaySubscribe("acme/chat/users/ana/#") || d.MaySubscribe("acme/chat/users/bob/#") {
		t.Error("the wrong subscriptions are granted")
	}
}

func TestRepeatedPublishAllocatesNothing(t *testing.T) {
	v, src := newDevices(t)
	src.set(entry("acme", "chat", rule(tenant.Allow, tenant.All, "acme/chat/room/${user}/#")))
	d, err := connect(t, v, "acme/chat", token{}.text(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if !d.MayPublish("acme/chat/room/ana/x") || d.MayPublish("acme/chat/room/bob/x") {
			t.Error("the wrong topics are allowed")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMayPublish(b *testing.B) {
	v, _ := newDevices(b)
	d, err := connect(b, v, "acme/chat", token{}.text(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		d.MayPublish("acme/chat/users/ana/up/x")
	}
}

// A device sees its app's settings change.
func TestDeviceSettings(t *testing.T) {
	src := newSource(entry("acme", "chat"))
	dir := auth.NewDirectory(src, atNoon)
	d, err := connect(t, auth.NewDevices(dir, atNoon), "acme/chat", token{}.text(t))
	if err != nil {
		t.Fatal(err)
	}
	if d.Mount() != "" || d.Settings() != (tenant.Settings{}) {
		t.Errorf("mounted at %q with %+v", d.Mount(), d.Settings())
	}
	e := entry("acme", "chat")
	e.App.Settings = tenant.Settings{Mounted: true, MaxConnections: 7}
	src.set(e)
	dir.Invalidate("acme", "chat")
	lookUp(t, dir, "acme", "chat") // waits for the change
	if d.Mount() != "acme/chat/" || d.Settings() != e.App.Settings {
		t.Errorf("mounted at %q with %+v", d.Mount(), d.Settings())
	}
}

func TestSameIdentity(t *testing.T) {
	ana := auth.Identity{Org: "acme", App: "chat", User: "ana", Tags: []string{"a"}, ClientID: "1"}
	for other, want := range map[*auth.Identity]bool{
		{Org: "acme", App: "chat", User: "ana", Role: "driver"}: true,
		{Org: "acme", App: "chat", User: "bob"}:                 false,
		{Org: "acme", App: "shop", User: "ana"}:                 false,
		{Org: "globex", App: "chat", User: "ana"}:               false,
	} {
		if ana.Same(other) != want || other.Same(&ana) != want {
			t.Errorf("%+v: not %t", other, want)
		}
	}
}
