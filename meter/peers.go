package meter

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// lives is how long a node counts that says nothing new.
	lives = 1500 * time.Millisecond
	// remembered is how long a dead node's name is, so that what it left behind
	// is known as that.
	remembered = time.Minute
	// stale is after how many beats a node would have said it again.
	stale = 3 * int64(relaxed/every)
)

// words are what a node says of a key, with its beats at that time.
func words(beats, value int64) string { return fmt.Sprintf("%d %d", beats, value) }

// parse reads words; nonsense is stale.
func parse(said string) (beats, value int64) {
	first, second, _ := strings.Cut(said, " ")
	beats, err := strconv.ParseInt(first, 10, 64)
	value, wrong := strconv.ParseInt(second, 10, 64)
	if err != nil || wrong != nil {
		return -stale - 1, 0
	}
	return beats, value
}

// peers are the other nodes, by name. Their beats are compared with the last
// ones, and never with a clock: nodes' clocks differ.
type peers map[string]*peer

type peer struct {
	beats  int64     // 0: not heard yet
	since  time.Time // when the beats were first seen
	listed bool      // among those that say that they are there
	left   bool      // it was, and took its leave
}

// heard takes the beats of all nodes, and returns the names of the dead.
func (p peers) heard(beats map[string]string, self string, now time.Time) (dead []string) {
	for name, count := range beats {
		if name == self {
			continue
		}
		one := p.peer(name, now)
		if n, err := strconv.ParseInt(count, 10, 64); err == nil && n != one.beats {
			one.beats, one.since = n, now
		}
		one.listed, one.left = true, false
		if !one.living(now) {
			dead = append(dead, name)
		}
	}
	for name, one := range p {
		_, there := beats[name]
		if one.left = one.left || one.listed && !there; now.Sub(one.since) >= remembered {
			delete(p, name)
		}
	}
	return dead
}

// sort tells what living nodes say of a key from what dead ones said, and what
// was not taken back.
func (p peers) sort(said map[string]string, self string, now time.Time) (others []int64, dead []string) {
	for name, text := range said {
		if name == self {
			continue
		}
		one := p.peer(name, now)
		beats, value := parse(text)
		if !one.living(now) || one.beats-beats > stale {
			dead = append(dead, name)
			continue
		}
		others = append(others, value)
	}
	return others, dead
}

// peer returns a node by its name. One that was never heard of may have come
// since the last beat: it has as long to be heard as one that falls silent.
func (p peers) peer(name string, now time.Time) *peer {
	one := p[name]
	if one == nil {
		one = &peer{since: now}
		p[name] = one
	}
	return one
}

func (p *peer) living(now time.Time) bool { return !p.left && now.Sub(p.since) < lives }

// living counts them.
func (p peers) living(now time.Time) (n int) {
	for _, one := range p {
		if one.living(now) {
			n++
		}
	}
	return n
}
