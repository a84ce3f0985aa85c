package tenant

// Change says that something was changed which nodes keep in memory. Changes
// are numbered in the order in which they were begun, not in that in which they
// can be seen: one may come up behind another that was begun after it.
type Change struct {
	Seq          int64
	Organization string
	// Subject is what has changed: "{app}" with its rules, keys and authorities;
	// "{app}/{login}"; a revocation's Subject; or, empty, the organization.
	Subject string
}
