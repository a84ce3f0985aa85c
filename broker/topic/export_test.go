package topic

// Nodes counts the nodes below the root, to see that pruning leaves none.
func (t *Tree[V]) Nodes() int { return t.root.count() - 1 }

func (n *node[V]) count() int {
	sum := 1
	if n.plus != nil {
		sum += n.plus.count()
	}
	if n.only != nil {
		sum += n.only.count()
	}
	for _, child := range n.many {
		sum += child.count()
	}
	return sum
}
