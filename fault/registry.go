package fault

// Advice tells a client what to do about a fault.
type Advice string

// The advice there is.
const (
	Fix    Advice = "fix"    // change the request; the same one fails again
	Retry  Advice = "retry"  // the same request may succeed later
	Renew  Advice = "renew"  // get new credentials, then try again
	Stop   Advice = "stop"   // do not try again without a human
	Report Advice = "report" // our mistake: quote the request id
)

// The codes.
const (
	Internal           Code = "internal"
	MalformedJSON      Code = "malformed_json"
	Invalid            Code = "invalid"
	Unauthenticated    Code = "unauthenticated"
	TokenExpired       Code = "token_expired"
	Forbidden          Code = "forbidden"
	SignupClosed       Code = "signup_closed"
	StepUpRequired     Code = "step_up_required"
	Suspended          Code = "organization_suspended"
	NotFound           Code = "not_found"
	MethodNotAllowed   Code = "method_not_allowed"
	Conflict           Code = "conflict"
	PayloadTooLarge    Code = "payload_too_large"
	UnsupportedMedia   Code = "unsupported_media_type"
	OutsideWall        Code = "outside_wall"
	TooManyRequests    Code = "too_many_requests"
	Overloaded         Code = "overloaded"
	Unavailable        Code = "unavailable"
	PreconditionFailed Code = "precondition_failed"
	QuotaExceeded      Code = "quota_exceeded"
	LogFull            Code = "log_full"
)

// Entry is one line of the registry.
type Entry struct {
	Code        Code
	Title       string
	Advice      Advice
	Description string
}

// Registry lists every code once, in the order of docs/errors.md.
var Registry = []Entry{
	{MalformedJSON, "Malformed JSON", Fix, "The body is not JSON."},
	{Invalid, "Invalid request", Fix, "The request does not follow the API description: a missing, unknown or ill-formed field. `errors` points at it."},
	{UnsupportedMedia, "Unsupported media type", Fix, "The body's Content-Type is not application/json."},
	{PayloadTooLarge, "Payload too large", Fix, "The body or the message payload is over its limit."},
	{OutsideWall, "Outside your organization", Fix, "The topic is not below your organization's prefix. No rule can lift this."},
	{Unauthenticated, "Unauthenticated", Renew, "The credentials are missing, wrong or revoked."},
	{TokenExpired, "Token expired", Renew, "The credentials were right and have expired."},
	{Forbidden, "Forbidden", Stop, "The credentials are right and may not do this."},
	{SignupClosed, "Sign-up closed", Stop, "This server's operator does not accept new organizations."},
	{StepUpRequired, "Password required", Renew, "What shows or ends credentials wants your password again if you gave it more than ten minutes ago: send it to POST /v1/me/confirm, then repeat the request."},
	{Suspended, "Organization suspended", Stop, "The server's operator has suspended the organization. Ask them."},
	{NotFound, "Not found", Fix, "There is no such thing within what these credentials can see."},
	{MethodNotAllowed, "Method not allowed", Fix, "The path exists, the method does not."},
	{Conflict, "Conflict", Fix, "Something of that name exists already, or what is there forbids the change."},
	{PreconditionFailed, "Precondition failed", Fix, "It was changed since you read it. Read it again and repeat your change."},
	{TooManyRequests, "Too many requests", Retry, "A limit was reached. Wait for Retry-After seconds."},
	{QuotaExceeded, "Quota exceeded", Fix, "The app has as much of this as its limit allows. Remove some, or have the limit raised."},
	{LogFull, "Log full", Retry, "The server's message log has no room. Nothing that was acknowledged is lost; wait for Retry-After seconds. Its operator has to make room."},
	{Overloaded, "Overloaded", Retry, "More messages wait for the log than this node accepts. Nothing was lost; wait for Retry-After seconds."},
	{Unavailable, "Unavailable", Retry, "A part that the request needs does not answer. Nothing was acknowledged."},
	{Internal, "Internal error", Report, "The server made a mistake. Quote the X-Request-Id when you report it."},
}
