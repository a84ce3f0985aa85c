package presence_test

import (
	"testing"
)

// Whatever a node says, nobody falls over, and a clock that cannot be is not
// believed.
func FuzzHear(f *testing.F) {
	for _, said := range []string{"hello 0  ", "clock 5  ", "who 0 token key with spaces", "holds 7 token instance", "", "clock 18446744073709551615  ", "new 1 2 3"} {
		f.Add([]byte(said))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		air := &air{}
		b, voice := newBroadcast(t, air), air.join()
		before, _ := claim(t, b, "k", "a")
		if err := voice.Announce("presence", said); err != nil {
			t.Fatal(err)
		}
		heard := make(chan struct{})
		air.nodes[0].inbox <- func() { close(heard) }
		<-heard
		after, former := claim(t, b, "k", "a")
		if after <= before || after >= 1<<53 || former != "a" {
			t.Errorf("after %q claim %d follows %d, former %q", said, after, before, former)
		}
	})
}
