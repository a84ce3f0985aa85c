package topic

import "strings"

// child finds the literal child for a level of a name, or nil.
func (n *node[V]) child(level string) *node[V] {
	if n.only != nil {
		if n.only.level == level {
			return n.only
		}
		return nil
	}
	return n.many[level]
}

// next finds the child for a level of a filter, or nil.
func (n *node[V]) next(level string) *node[V] {
	if level == single {
		return n.plus
	}
	return n.child(level)
}

// grow finds the child for a level of a filter, or makes it.
func (n *node[V]) grow(level string) *node[V] {
	if child := n.next(level); child != nil {
		return child
	}
	if level == single {
		n.plus = &node[V]{level: single}
		return n.plus
	}
	// Cloned, so that a node never keeps alive the whole filter, or the
	// buffer that the filter was read into.
	child := &node[V]{level: strings.Clone(level)}
	switch {
	case n.many != nil:
		n.many[child.level] = child
	case n.only != nil:
		n.many = map[string]*node[V]{n.only.level: n.only, child.level: child}
		n.only = nil
	default:
		n.only = child
	}
	return child
}

// drop forgets a child. A map that is left with one entry goes too.
func (n *node[V]) drop(child *node[V]) {
	switch child {
	case n.plus:
		n.plus = nil
		return
	case n.only:
		n.only = nil
		return
	}
	delete(n.many, child.level)
	if len(n.many) == 1 {
		for _, n.only = range n.many {
		}
		n.many = nil
	}
}
