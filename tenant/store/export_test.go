package store

// SQLiteAddress lets tests look at the file past the store.
func SQLiteAddress(path string) string { return sqliteDSN(path, "_txlock=immediate", sqlitePragmas...) }

// SigningKeyContext is what a signing key's secret is sealed for.
var SigningKeyContext = signingKeyContext

// LimitRevocations has every app have at most n.
func (s *Store) LimitRevocations(n int) { s.maxRevocations = n }
