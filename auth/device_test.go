package auth_test

import (
	"fmt"
	"testing"
	"unsafe"

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
