package tenant

import "time"

// MaxMemberships is how many organizations a person may belong to.
const MaxMemberships = 100

// MaxInvitations is how many open invitations an organization may have.
const MaxInvitations = 500

// Person is somebody who signs in, to one or several organizations. Whoever
// belongs to none any more is no person here.
type Person struct {
	ID        string // "per_" and a ULID
	Email     string // lower case
	CreatedAt time.Time
}

// Invitation lets the person with an e-mail address become a member, by a link
// of whose secret only the SHA-256 is kept. It works once.
type Invitation struct {
	ID           string // "inv_" and a ULID
	Organization string
	Email        string // lower case
	Role         Role
	Hash         [32]byte
	InvitedBy    string // for people: the e-mail address of the member who invited
	ExpiresAt    time.Time
	CreatedAt    time.Time
}

// PasswordReset lets a person set a new password without the old one, by a link
// of whose secret only the SHA-256 is kept. It works once.
type PasswordReset struct {
	Hash      [32]byte
	ExpiresAt time.Time
	CreatedAt time.Time
}
