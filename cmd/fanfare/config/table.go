package config

import (
	"reflect"
	"slices"
	"strings"
)

// Prefix begins the name of every environment variable of Fanfare.
const Prefix = "FANFARE_"

// testPrefix is free for test suites: the server ignores such variables.
const testPrefix = Prefix + "TEST_"

// Setting is one line of the table: a field of one of the structs.
type Setting struct {
	Field   string // the struct field, which carries the reason as its comment
	Flag    string // without the dashes
	Var     string // the environment variable
	Default string
	Empty   string // what an empty value means; "" when it may not be empty
	Kind    string // names an entry of kinds
	Values  []string
	Schemes []string
	Group   string
	Help    string
}

// Table lists the settings of a struct such as Settings, in order.
func Table(of any) []Setting {
	var table []Setting
	for field := range reflect.TypeOf(of).Fields() {
		tag := field.Tag
		if tag.Get("var") == "" {
			continue
		}
		table = append(table, Setting{
			Field: field.Name, Flag: tag.Get("name"), Var: tag.Get("var"),
			Default: tag.Get("default"), Empty: tag.Get("empty"), Kind: tag.Get("kind"),
			Values: list(tag.Get("values")), Schemes: list(tag.Get("schemes")),
			Group: tag.Get("group"), Help: tag.Get("help"),
		})
	}
	return table
}

// ClientTable lists the settings of the commands that talk to a server.
func ClientTable() []Setting {
	return slices.Concat(Table(Endpoint{}), Table(Management{}), Table(AppName{}), Table(Backend{}), Table(Device{}))
}

// list splits a comma-separated value and trims its parts.
func list(value string) []string {
	var parts []string
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}
