package api

//go:generate go run ./docs -o ../docs/errors.md
