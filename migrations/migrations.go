// Package migrations holds the database schema as numbered SQL files, one
// folder per dialect. The two folders have the same numbers, tables and
// columns; only the types differ. A file that has been released is never
// changed: a later number amends it.
package migrations

import "embed"

// Files holds the folders postgres and sqlite.
//
//go:embed postgres/*.sql sqlite/*.sql
var Files embed.FS
