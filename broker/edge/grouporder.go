package edge

// The members of a group are a heap, as container/heap would have it, so that
// each message costs the logarithm of their number.

// before orders members: who has room comes first, then who has the fewest
// messages on their way, then who has waited longest for one.
func (m *member) before(other *member) bool {
	if free, theirs := m.room > 0, other.room > 0; free != theirs {
		return free
	}
	if a, b := m.inflight+m.posted, other.inflight+other.posted; a != b {
		return a < b
	}
	return m.turn < other.turn
}

func (g *group) swap(i, j int) {
	g.members[i], g.members[j] = g.members[j], g.members[i]
	g.members[i].place, g.members[j].place = i, j
}

// fix moves a member to where it belongs after a change.
func (g *group) fix(i int) {
	g.sink(i)
	g.rise(i)
}

func (g *group) rise(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !g.members[i].before(g.members[parent]) {
			return
		}
		g.swap(i, parent)
		i = parent
	}
}

func (g *group) sink(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(g.members); child++ {
			if g.members[child].before(g.members[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		g.swap(i, least)
		i = least
	}
}
