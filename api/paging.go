package api

import (
	"github.com/fanfare-mq/fanfare/fault"
)

// defaultPage is how many items a list answers unless asked otherwise.
const defaultPage = 50

// paging reads the parameters of a list: how many items to answer, and behind
// which one to begin. A cursor is what the items are ordered by.
func paging(limit *int32, cursor *string, valid func(string) bool) (most int, after string, err error) {
	most = defaultPage
	if limit != nil {
		most = int(*limit)
	}
	if cursor == nil {
		return most, "", nil
	}
	if !valid(*cursor) {
		return 0, "", parameterError{error: fault.New(fault.Invalid, "is no cursor of this list"), parameter: "cursor"}
	}
	return most, *cursor, nil
}

// pageOf makes a page of what was read, which is one more than fits if there
// are more.
func pageOf[T, V any](read []T, most int, view func(T) V, cursor func(T) string) (items []V, next *string) {
	if len(read) > most {
		read = read[:most]
		last := cursor(read[most-1])
		next = &last
	}
	items = make([]V, len(read))
	for i, one := range read {
		items[i] = view(one)
	}
	return items, next
}
