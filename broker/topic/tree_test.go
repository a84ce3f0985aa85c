package topic_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/topic"
)

func TestTree(t *testing.T) {
	var tree topic.Tree[int]
	for _, f := range []string{"a/b", "a/+", "a/#", "#", "+", "/#", "a/b/#", "$SYS/#", "+/+"} {
		if !tree.Add(f, 1) {
			t.Errorf("Add(%q) is not the first", f)
		}
		if tree.Add(f, 2) {
			t.Errorf("Add(%q) is the first again", f)
		}
	}
	for name, filters := range map[string]int{
		"a": 3, "a/b": 6, "a/": 4, "a/b/c": 3, "/": 3, "x/y/z": 1, "$SYS": 1, "$SYS/x": 1, "$x": 0, "": 0,
	} {
		if got := collect(&tree, name); len(got) != 2*filters {
			t.Errorf("Match(%q) visited %v, want %d times each", name, got, filters)
		}
	}
}

func TestTreeForgets(t *testing.T) {
	var tree topic.Tree[int]
	tree.Add("a/b/c", 1)
	if tree.Add("a/b/c", 1) {
		t.Error("adding a pair again is first")
	}
	if tree.Len() != 1 {
		t.Errorf("Len = %d, want 1", tree.Len())
	}
	tree.Add("a/b/#", 1)
	tree.Add("a/b/+/d", 1)
	for _, f := range []string{"a/b", "a/b/c/d", "a/b/+", "a", "x", "#"} {
		if tree.Remove(f, 1) {
			t.Errorf("Remove(%q) of what is not there is last", f)
		}
	}
	if tree.Remove("a/b/c", 2) {
		t.Error("removing another's value is last")
	}
	for _, f := range []string{"a/b/c", "a/b/+/d", "a/b/#"} {
		if !tree.Remove(f, 1) {
			t.Errorf("Remove(%q) is not last", f)
		}
	}
	if tree.Len() != 0 || tree.Nodes() != 0 {
		t.Errorf("Len = %d, Nodes = %d, want 0", tree.Len(), tree.Nodes())
	}
}

// A broadcast's subscribers come and go in a crowd.
func TestTreeCrowd(t *testing.T) {
	const crowd = 50_000
	var tree topic.Tree[int]
	for i := range crowd {
		if first := tree.Add("acme/chat/broadcast", i); first != (i == 0) {
			t.Fatalf("Add %d: first = %v", i, first)
		}
	}
	if got := len(collect(&tree, "acme/chat/broadcast")); got != crowd {
		t.Errorf("visited %d, want %d", got, crowd)
	}
	for i := range crowd {
		if last := tree.Remove("acme/chat/broadcast", i); last != (i == crowd-1) {
			t.Fatalf("Remove %d: last = %v", i, last)
		}
	}
	if tree.Nodes() != 0 {
		t.Errorf("%d nodes left", tree.Nodes())
	}
}

// model is a tree as a list of pairs.
type model map[string][]int

func (m model) add(filter string, v int) (first bool) {
	if slices.Contains(m[filter], v) {
		return false
	}
	m[filter] = append(m[filter], v)
	return len(m[filter]) == 1
}

func (m model) remove(filter string, v int) (last bool) {
	i := slices.Index(m[filter], v)
	if i < 0 {
		return false
	}
	m[filter] = slices.Delete(m[filter], i, i+1)
	return len(m[filter]) == 0
}

func (m model) match(name string) []int {
	var got []int
	for filter, values := range m {
		if topic.Match(filter, name) {
			got = append(got, values...)
		}
	}
	slices.Sort(got)
	return got
}

func collect(tree *topic.Tree[int], name string) []int {
	var got []int
	tree.Match(name, func(v int) { got = append(got, v) })
	slices.Sort(got)
	return got
}

func TestTreeAgreesWithModel(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 7)) // seeded, so that a failure comes again
	filters, universe := filters(words, 3), universe(3)
	var tree topic.Tree[int]
	model, size := model{}, 0
	for step := range 30_000 {
		f, v := filters[random.IntN(len(filters))], random.IntN(40)
		growing := step/5_000%2 == 0 // so that the tree fills up and empties
		if growing == (random.IntN(4) > 0) {
			before := len(model[f])
			if got, want := tree.Add(f, v), model.add(f, v); got != want {
				t.Fatalf("Add(%q, %d) = %v, want %v", f, v, got, want)
			}
			size += len(model[f]) - before
		} else {
			before := len(model[f])
			if got, want := tree.Remove(f, v), model.remove(f, v); got != want {
				t.Fatalf("Remove(%q, %d) = %v, want %v", f, v, got, want)
			}
			size += len(model[f]) - before
		}
		if tree.Len() != size {
			t.Fatalf("Len = %d, want %d", tree.Len(), size)
		}
		if step%10 == 0 {
			name := universe[random.IntN(len(universe))]
			if got, want := collect(&tree, name), model.match(name); !slices.Equal(got, want) {
				t.Fatalf("Match(%q) = %v, want %v", name, got, want)
			}
		}
	}
	for f, values := range model {
		for _, v := range slices.Clone(values) {
			tree.Remove(f, v)
		}
	}
	if tree.Len() != 0 || tree.Nodes() != 0 {
		t.Errorf("Len = %d, Nodes = %d after removing all", tree.Len(), tree.Nodes())
	}
}

// FuzzTree takes lines: "-filter" removes, a valid filter is added, and every
// valid name is looked up at the end.
func FuzzTree(f *testing.F) {
	f.Add("a/#\n+\n#\na\na/b\n-a/#\na/")
	f.Add("$x/#\n+/#\n/#\n$x\n/\n//\n-+/#")
	f.Add("a\nb\nc\n-b\n-c\na/+/c\na/b/c")
	f.Fuzz(func(t *testing.T, script string) {
		var tree topic.Tree[int]
		model := model{}
		lines := strings.Split(script, "\n")
		for i, line := range lines {
			filter, remove := strings.CutPrefix(line, "-")
			switch {
			case topic.ValidFilter(filter) != nil:
			case remove:
				if got, want := tree.Remove(filter, i%3), model.remove(filter, i%3); got != want {
					t.Fatalf("Remove(%q) = %v, want %v", filter, got, want)
				}
			default:
				if got, want := tree.Add(filter, i%3), model.add(filter, i%3); got != want {
					t.Fatalf("Add(%q) = %v, want %v", filter, got, want)
				}
			}
		}
		for _, name := range lines {
			if topic.ValidName(name) != nil {
				continue
			}
			if got, want := collect(&tree, name), model.match(name); !slices.Equal(got, want) {
				t.Fatalf("Match(%q) = %v, want %v", name, got, want)
			}
		}
	})
}

// population fills a tree as an app's devices do: one's own topics, a room of
// a hundred, a wildcard.
func population(n int) *topic.Tree[int] {
	tree := new(topic.Tree[int])
	for i := range n {
		switch i % 4 {
		case 0, 1:
			tree.Add("acme/chat/users/u"+strconv.Itoa(i)+"/#", i)
		case 2:
			tree.Add("acme/chat/rooms/r"+strconv.Itoa(i/400)+"/messages", i)
		case 3:
			tree.Add("acme/chat/devices/d"+strconv.Itoa(i)+"/+/state", i)
		}
	}
	return tree
}

func TestTreeMatchAllocatesNothing(t *testing.T) {
	tree, seen := population(1_000), 0
	for _, name := range []string{"acme/chat/users/u400/inbox", "acme/chat/rooms/r1/messages", "$x/y", "none"} {
		if allocs := testing.AllocsPerRun(100, func() { tree.Match(name, func(v int) { seen += v }) }); allocs != 0 {
			t.Errorf("Match(%q): %v allocations", name, allocs)
		}
	}
}

func BenchmarkTreeMatch(b *testing.B) {
	tree := population(100_000)
	for _, name := range []string{
		"acme/chat/users/u40000/inbox",
		"acme/chat/rooms/r100/messages",
		"acme/chat/devices/d40003/battery/state",
		"acme/chat/nobody/here",
	} {
		visits := 0
		tree.Match(name, func(int) { visits++ })
		b.Run(fmt.Sprintf("%s/visits=%d", strings.Split(name, "/")[2], visits), func(b *testing.B) {
			b.ReportAllocs()
			seen := 0
			for b.Loop() {
				tree.Match(name, func(int) { seen++ })
			}
		})
	}
}

func BenchmarkTreeAddRemove(b *testing.B) {
	tree := population(100_000)
	b.ReportAllocs()
	for b.Loop() {
		tree.Add("acme/chat/users/somebody/#", 1)
		tree.Remove("acme/chat/users/somebody/#", 1)
	}
}

// BenchmarkTreeMemory reports the heap bytes that one of 100,000 filters costs.
func BenchmarkTreeMemory(b *testing.B) {
	const filters = 100_000
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		tree := population(filters)
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(tree)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/filters, "heap-B/filter")
}
