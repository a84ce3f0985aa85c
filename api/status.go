package api

import (
	"net/http"

	"github.com/fanfare-mq/fanfare/fault"
)

// statuses maps every code to HTTP.
var statuses = map[fault.Code]int{
	fault.MalformedJSON:      http.StatusBadRequest,
	fault.Invalid:            http.StatusUnprocessableEntity,
	fault.UnsupportedMedia:   http.StatusUnsupportedMediaType,
	fault.PayloadTooLarge:    http.StatusRequestEntityTooLarge,
	fault.OutsideWall:        http.StatusForbidden,
	fault.Unauthenticated:    http.StatusUnauthorized,
	fault.TokenExpired:       http.StatusUnauthorized,
	fault.Forbidden:          http.StatusForbidden,
	fault.SignupClosed:       http.StatusForbidden,
	fault.StepUpRequired:     http.StatusForbidden,
	fault.Suspended:          http.StatusForbidden,
	fault.NotFound:           http.StatusNotFound,
	fault.MethodNotAllowed:   http.StatusMethodNotAllowed,
	fault.Conflict:           http.StatusConflict,
	fault.PreconditionFailed: http.StatusPreconditionFailed,
	fault.TooManyRequests:    http.StatusTooManyRequests,
	fault.QuotaExceeded:      http.StatusTooManyRequests,
	fault.LogFull:            http.StatusServiceUnavailable,
	fault.Overloaded:         http.StatusServiceUnavailable,
	fault.Unavailable:        http.StatusServiceUnavailable,
	fault.Internal:           http.StatusInternalServerError,
}

// Status returns the HTTP status of a fault. What is not in the registry is a
// mistake of ours.
func Status(code fault.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// retryAfter is how many seconds a client should wait when the fault itself
// does not know: a publisher's queue drains in well under a second, a failed
// part needs a few to come back, and room in the log comes slowly.
var retryAfter = map[fault.Code]int{
	fault.TooManyRequests: 10,
	fault.LogFull:         30,
	fault.Overloaded:      1,
	fault.Unavailable:     5,
}
