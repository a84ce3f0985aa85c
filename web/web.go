// Package web holds the pages that Fanfare shows to people, as embedded files.
package web

import _ "embed" // for the pages

// Landing is the first page, an html/template of the addresses to show.
//
//go:embed landing.html
var Landing string

// Style is the style sheet of the pages.
//
//go:embed style.css
var Style []byte

// Icon is the icon of the pages.
//
//go:embed icon.svg
var Icon []byte
