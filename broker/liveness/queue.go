package liveness

import (
	"container/heap"
	"time"
)

// timer is when a task goes on, and its place among those that wait.
type timer struct {
	at    time.Time
	index int // from 1; 0: it does not wait
	tries int
}

func (t *timer) when() *timer { return t }

// queue holds tasks until their times; those of one time in any order.
type queue struct{ tasks tasks }

func (q *queue) push(t task) { heap.Push(&q.tasks, t) }

// remove reports whether the task was there.
func (q *queue) remove(t task) bool {
	i := t.when().index
	if i > 0 {
		heap.Remove(&q.tasks, i-1)
	}
	return i > 0
}

// due takes out a task whose time has come; nil if there is none.
func (q *queue) due(now time.Time) task {
	if len(q.tasks) == 0 || now.Before(q.tasks[0].when().at) {
		return nil
	}
	t, _ := heap.Pop(&q.tasks).(task) // it holds nothing else
	return t
}

// first is the earliest time; zero if nothing waits.
func (q *queue) first() time.Time {
	if len(q.tasks) == 0 {
		return time.Time{}
	}
	return q.tasks[0].when().at
}

// tasks is a heap by time.
type tasks []task

func (q tasks) Len() int           { return len(q) }
func (q tasks) Less(i, j int) bool { return q[i].when().at.Before(q[j].when().at) }

func (q tasks) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].when().index, q[j].when().index = i+1, j+1
}

// Push implements heap.Interface.
func (q *tasks) Push(x any) {
	t, _ := x.(task) // nothing else is pushed
	*q = append(*q, t)
	t.when().index = len(*q)
}

// Pop implements heap.Interface.
func (q *tasks) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	t.when().index = 0
	return t
}
