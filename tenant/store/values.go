package store

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/tenant"
)

// dialect is all in which the two databases differ for the queries: how a
// time is bound.
type dialect uint8

const (
	postgresDialect dialect = iota
	sqliteDialect
)

// bind returns the arguments as the driver wants them. Times have the
// precision of both databases, a microsecond.
func (d dialect) bind(args []any) []any {
	bound := make([]any, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case time.Time:
			bound[i] = d.time(arg)
		case [32]byte:
			bound[i] = arg[:]
		default:
			bound[i] = arg
		}
	}
	return bound
}

// time is NULL for the zero time.
func (d dialect) time(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	if d == sqliteDialect {
		return t.UnixMicro()
	}
	return t.UTC().Truncate(time.Microsecond)
}

// timeScanner reads a time of either dialect; NULL leaves the destination.
type timeScanner struct{ dst *time.Time }

func (s timeScanner) Scan(src any) error {
	switch src := src.(type) {
	case nil:
	case time.Time:
		*s.dst = src.UTC()
	case int64:
		*s.dst = time.UnixMicro(src).UTC()
	default:
		return fmt.Errorf("a time cannot be read from %T", src)
	}
	return nil
}

// microsScanner reads a duration kept in microseconds.
type microsScanner struct{ dst *time.Duration }

func (s microsScanner) Scan(src any) error {
	micros, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a duration cannot be read from %T", src)
	}
	*s.dst = time.Duration(micros) * time.Microsecond
	return nil
}

// hashScanner reads a SHA-256.
type hashScanner struct{ dst *[32]byte }

func (s hashScanner) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != len(s.dst) {
		return fmt.Errorf("a hash cannot be read from %T", src)
	}
	copy(s.dst[:], b)
	return nil
}

// scopesScanner reads scopes separated by spaces.
type scopesScanner struct{ dst *[]tenant.Scope }

func (s scopesScanner) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("scopes cannot be read from %T", src)
	}
	*s.dst = nil
	for word := range strings.FieldsSeq(text) {
		*s.dst = append(*s.dst, tenant.Scope(word))
	}
	return nil
}

func joinScopes(scopes []tenant.Scope) string {
	words := make([]string, len(scopes))
	for i, scope := range scopes {
		words[i] = string(scope)
	}
	return strings.Join(words, " ")
}

// networksScanner reads networks kept as a JSON array; none are nil.
type networksScanner struct{ dst *[]netip.Prefix }

func (s networksScanner) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("networks cannot be read from %T", src)
	}
	*s.dst = nil
	if text == noTexts {
		return nil
	}
	if err := json.Unmarshal([]byte(text), s.dst); err != nil {
		return fmt.Errorf("networks: %w", err)
	}
	return nil
}

func joinNetworks(networks []netip.Prefix) string {
	words := make([]string, len(networks))
	for i, network := range networks {
		words[i] = strconv.Quote(network.String())
	}
	return "[" + strings.Join(words, ",") + "]"
}

// limitsScanner reads limits kept as JSON; NULL are none.
type limitsScanner struct{ dst *tenant.Limits }

func (s limitsScanner) Scan(src any) error {
	*s.dst = tenant.Limits{}
	text, ok := src.(string)
	switch {
	case src == nil:
		return nil
	case !ok:
		return fmt.Errorf("limits cannot be read from %T", src)
	}
	if err := json.Unmarshal([]byte(text), s.dst); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	return nil
}

// ownLimitsScanner reads limits that are an organization's own over its plan's,
// which were read before.
type ownLimitsScanner struct{ dst *tenant.Limits }

func (s ownLimitsScanner) Scan(src any) error {
	var own tenant.Limits
	if err := (limitsScanner{&own}).Scan(src); err != nil {
		return err
	}
	*s.dst = own.Over(*s.dst)
	return nil
}

// rulesScanner reads access rules kept as JSON; no rules are an empty slice.
type rulesScanner struct{ dst *[]tenant.Rule }

func (s rulesScanner) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("rules cannot be read from %T", src)
	}
	*s.dst = []tenant.Rule{}
	if err := json.Unmarshal([]byte(text), s.dst); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	for i := range *s.dst {
		if rule := &(*s.dst)[i]; rule.ID == "" {
			// It was written before rules had ids. The next change keeps this one.
			rule.ID = fmt.Sprintf("rule_%026d", i)
		}
	}
	return nil
}

func marshalRules(rules []tenant.Rule) (string, error) {
	if len(rules) == 0 {
		return "[]", nil
	}
	text, err := json.Marshal(rules)
	if err != nil {
		return "", fmt.Errorf("rules: %w", err)
	}
	return string(text), nil
}

// settingsScanner reads an app's settings kept as JSON.
type settingsScanner struct{ dst *tenant.Settings }

func (s settingsScanner) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("settings cannot be read from %T", src)
	}
	*s.dst = tenant.Settings{}
	if err := json.Unmarshal([]byte(text), s.dst); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	return nil
}

func marshalSettings(settings tenant.Settings) (string, error) {
	text, err := json.Marshal(settings)
	if err != nil {
		return "", fmt.Errorf("settings: %w", err)
	}
	return string(text), nil
}

// textsScanner reads texts kept as a JSON array; none are nil.
type textsScanner struct{ dst *[]string }

func (s textsScanner) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("texts cannot be read from %T", src)
	}
	*s.dst = nil
	if text == noTexts {
		return nil
	}
	if err := json.Unmarshal([]byte(text), s.dst); err != nil {
		return fmt.Errorf("texts: %w", err)
	}
	return nil
}

// noTexts is an empty JSON array.
const noTexts = "[]"

func marshalTexts(texts []string) (string, error) {
	if len(texts) == 0 {
		return noTexts, nil
	}
	text, err := json.Marshal(texts)
	if err != nil {
		return "", fmt.Errorf("texts: %w", err)
	}
	return string(text), nil
}

// boolScanner reads a yes or no kept as 1 or 0.
type boolScanner struct{ dst *bool }

func (s boolScanner) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a yes or no cannot be read from %T", src)
	}
	*s.dst = n != 0
	return nil
}

func asInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
