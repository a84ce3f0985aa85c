package topic

import "strings"

// Tree holds subscriptions, pairs of a filter and a value, and finds the
// values whose filters match a name. The zero value is empty and ready.
// It is not safe for concurrent use.
type Tree[V comparable] struct {
	root node[V]
	size int
}

// node stands for the levels of a filter from the root to here. The # of a
// filter is not a node of its own but a second set of values.
type node[V comparable] struct {
	level string
	plus  *node[V]            // the + below
	only  *node[V]            // the one literal child, as most nodes have at most one
	many  map[string]*node[V] // all literal children, when there are two or more
	here  set[V]              // filters that end at this level
	below set[V]              // filters that end in # after this level
}

// Add subscribes v to a valid filter, stripped of any prefix. It reports
// whether v is the first value at this very filter. Adding a pair that is
// there already changes nothing and reports false.
func (t *Tree[V]) Add(filter string, v V) (first bool) {
	n, rest, more := &t.root, filter, true
	for more && rest != multi {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		n = n.grow(level)
	}
	values := &n.here
	if more {
		values = &n.below
	}
	if !values.add(v) {
		return false
	}
	t.size++
	return len(values.values) == 1
}

// Remove takes the pair away. It reports whether that left nobody at this very
// filter; for a pair that was not there it reports false.
func (t *Tree[V]) Remove(filter string, v V) (last bool) {
	removed, last := t.root.remove(filter, v)
	if removed {
		t.size--
	}
	return last
}

// Len returns the number of pairs.
func (t *Tree[V]) Len() int { return t.size }

// Match calls visit for every value whose filter matches the valid name, in no
// particular order: a value subscribed through two matching filters is visited
// twice. It allocates nothing. visit must not change the tree.
func (t *Tree[V]) Match(name string, visit func(V)) {
	if name == "" {
		return
	}
	if !reserved(name) {
		t.root.below.visit(visit)
		t.root.match(name, visit)
		return
	}
	level, rest, more := strings.Cut(name, "/")
	if child := t.root.child(level); child != nil {
		child.enter(rest, more, visit) // wildcards at the root stay out [MQTT-4.7.2-1]
	}
}

// match looks for the levels in rest below n.
func (n *node[V]) match(rest string, visit func(V)) {
	level, rest, more := strings.Cut(rest, "/")
	if child := n.child(level); child != nil {
		child.enter(rest, more, visit)
	}
	if n.plus != nil {
		n.plus.enter(rest, more, visit)
	}
}

// enter visits what n has for a name that leads through it, and goes on.
func (n *node[V]) enter(rest string, more bool, visit func(V)) {
	n.below.visit(visit)
	if more {
		n.match(rest, visit)
		return
	}
	n.here.visit(visit)
}

// remove takes v from the filter that is left below n, and prunes on the way
// back.
func (n *node[V]) remove(filter string, v V) (removed, last bool) {
	if filter == multi {
		removed = n.below.remove(v)
		return removed, removed && len(n.below.values) == 0
	}
	level, rest, more := strings.Cut(filter, "/")
	child := n.next(level)
	if child == nil {
		return false, false
	}
	if more {
		removed, last = child.remove(rest, v)
	} else {
		removed = child.here.remove(v)
		last = removed && len(child.here.values) == 0
	}
	if last && child.empty() {
		n.drop(child)
	}
	return removed, last
}

func (n *node[V]) empty() bool {
	return n.plus == nil && n.only == nil && n.many == nil && len(n.here.values) == 0 && len(n.below.values) == 0
}
