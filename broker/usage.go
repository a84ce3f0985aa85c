package broker

// Usage is what an organization has in the log, all its apps together, about.
type Usage struct {
	Sessions int   // records of sessions that outlive their connection
	Retained int   // retained messages
	LogBytes int64 // of messages
}
