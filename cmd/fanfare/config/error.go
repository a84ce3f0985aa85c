package config

import "fmt"

// Error is a setting that cannot be used, in one line that says how to fix it.
type Error struct {
	Setting string // as the operator knows it: the variable, and the flag
	Problem string
}

// Error is the whole line.
func (e *Error) Error() string { return e.Setting + " " + e.Problem }

// Wrong is the error of a setting that turns out to be wrong when it is used.
// The field is its name in Settings.
func Wrong(field, format string, args ...any) *Error { return find(field).errorf(format, args...) }

func (s Setting) errorf(format string, args ...any) *Error {
	return &Error{Setting: s.String(), Problem: fmt.Sprintf(format, args...)}
}

// String names the setting by its variable and its flag.
func (s Setting) String() string { return s.Var + " (--" + s.Flag + ")" }
