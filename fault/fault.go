// Package fault is the registry of everything that can go wrong in a way a
// caller should understand: a stable code, a message that is safe to show, and
// what to do next. An error without a code is internal and is never shown.
package fault

import (
	"errors"
	"fmt"
)

// Code names one kind of fault. Codes are stable: clients may switch on them.
type Code string

// Error is a fault with a message that may be shown to whoever caused it.
type Error struct {
	Code    Code
	Message string // safe to show; no secrets, no internals
	Field   string // JSON pointer of the offending field, when there is one
	cause   error
}

// New returns a fault without a cause.
func New(code Code, message string) *Error {
	return &Error{Code: code, Message: message}
}

// Newf is New with a formatted message.
func Newf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns a fault that keeps its cause for the log.
func Wrap(code Code, message string, cause error) *Error {
	return &Error{Code: code, Message: message, cause: cause}
}

// At returns a copy of the fault that points at a field of the request body,
// as a JSON pointer (RFC 6901).
func (e *Error) At(pointer string) *Error {
	c := *e
	c.Field = pointer
	return &c
}

// Error is the message and, for the log, the cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Message + ": " + e.cause.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is matches another fault by its code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && (t.Message == "" || t.Message == e.Message)
}

// CodeOf returns the code of the first fault in err's chain, Internal for any
// other error, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Code
	}
	return Internal
}
