package tenant

import "time"

// UseKind says which kind of credentials was used.
type UseKind string

// The kinds of credentials of which the last use is kept.
const (
	UsedAPIKey     UseKind = "api_key"     // by its id
	UsedSigningKey UseKind = "signing_key" // by its kid
	UsedKeySet     UseKind = "key_set"     // by its id
)

// Use is the last use of one credential, as far as its reporter knows.
type Use struct {
	Kind UseKind
	ID   string
	At   time.Time
	From string // the client's address without a port; kept of API keys only
}
