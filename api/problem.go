package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
)

// problemBase is where docs/errors.md is read; a code is an anchor in it.
const problemBase = "https://github.com/fanfare-mq/fanfare/blob/main/docs/errors.md#"

const (
	problemType = "application/problem+json"
	// maxFieldFaults bounds the list of one answer; nobody mends more at once.
	maxFieldFaults = 100
)

// parameterError is a fault of a query parameter or header.
type parameterError struct {
	error
	parameter string
}

func (f parameterError) Unwrap() error { return f.error }

// throttledError is a fault that knows when the same request may succeed.
type throttledError struct {
	error
	wait time.Duration
}

func (t throttledError) Unwrap() error { return t.error }

// fail answers an error as a problem. An error without a code is internal: it
// goes to the log and is never shown.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	if gaveUp(r, err) && fault.CodeOf(err) == fault.Internal { // a part that says itself what it waited for is right
		err = fault.Wrap(fault.Unavailable, "the request took too long or was given up", err)
	}
	code := fault.CodeOf(err)
	status := Status(code)
	x := exchangeOf(r.Context())
	x.code, x.err = code, err

	header := w.Header()
	if status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", challenge(r, code))
	}
	if seconds, ok := retryAfter[code]; ok {
		if t, known := errors.AsType[throttledError](err); known {
			seconds = max(1, int(math.Ceil(t.wait.Seconds())))
		}
		header.Set("Retry-After", strconv.Itoa(seconds))
	}
	p := spec.Problem{
		Type: problemBase + string(code), Title: titleOf(code), Status: int32(status), //nolint:gosec // a status has three digits
		Detail: detailOf(code, err), Instance: cut(r.URL.EscapedPath(), 2000), Code: string(code), RequestID: x.id,
	}
	if fields := fieldFaults(err); len(fields) > 0 {
		p.Errors = &fields
	}
	header.Set("Content-Type", problemType)
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error here means that the client has gone.
	_ = json.NewEncoder(w).Encode(p)
}

// gaveUp says that the time was over, or the client gone.
func gaveUp(r *http.Request, err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) && r.Context().Err() != nil
}

// challenge tells how to authenticate (RFC 6750 §3).
func challenge(r *http.Request, code fault.Code) string {
	switch {
	case code == fault.TokenExpired:
		return `Bearer realm="fanfare", error="invalid_token", error_description="expired"`
	case r.Header.Get("Authorization") != "":
		return `Bearer realm="fanfare", error="invalid_token"`
	default:
		return `Bearer realm="fanfare"`
	}
}

func titleOf(code fault.Code) string {
	for _, entry := range fault.Registry {
		if entry.Code == code {
			return entry.Title
		}
	}
	return string(code)
}

// detailOf is the message of a single fault, or how many faults there are.
func detailOf(code fault.Code, err error) string {
	if code == fault.Internal {
		return "The server made a mistake. It is in the log under this request's id."
	}
	leaves := leavesOf(err)
	if len(leaves) > 1 {
		return fmt.Sprintf("The request has %d faults.", len(leaves))
	}
	f, _ := errors.AsType[*fault.Error](err)
	name := fieldName(f.Field)
	if p, ok := errors.AsType[parameterError](err); ok {
		name = p.parameter
	}
	return cut(about(name, f.Message), 500)
}

// leavesOf returns the single errors of a joined one.
func leavesOf(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var leaves []error
	for _, e := range joined.Unwrap() {
		leaves = append(leaves, leavesOf(e)...)
	}
	return leaves
}

// fieldFaults lists the faults that know their field.
func fieldFaults(err error) []spec.FieldFault {
	var fields []spec.FieldFault
	for _, leaf := range leavesOf(err) {
		f, ok := errors.AsType[*fault.Error](leaf)
		if !ok || f.Code == fault.Internal || len(fields) == maxFieldFaults {
			continue
		}
		field := spec.FieldFault{Detail: cut(f.Message, 500)}
		if p, ok := errors.AsType[parameterError](leaf); ok {
			field.Parameter = &p.parameter
		} else if f.Field != "" {
			pointer := cut(f.Field, 1000)
			field.Pointer = &pointer
		} else {
			continue
		}
		fields = append(fields, field)
	}
	return fields
}

// cut shortens what a client could make long, to at most n bytes of UTF-8.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// at points a rule's error at a field of the body.
func at(err error, pointer string) error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.At(pointer)
	}
	return fault.New(fault.Invalid, err.Error()).At(pointer)
}
