package api

import (
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

func apiKeyView(k tenant.APIKey) spec.APIKey {
	return spec.APIKey{
		ID: k.ID, Name: k.Name, Scopes: scopesView(k.Scopes), Addresses: addressesView(k.Addresses),
		ExpiresAt: timeRef(k.ExpiresAt), LastUsedAt: timeRef(k.LastUsedAt), LastUsedFrom: ref(k.LastUsedFrom),
		ReplacedBy: ref(k.ReplacedBy), Across: onlyTrue(k.Across), CreatedAt: k.CreatedAt,
	}
}

func createdAPIKey(k tenant.APIKey, secret string) spec.CreatedAPIKey {
	view := apiKeyView(k)
	return spec.CreatedAPIKey{
		ID: view.ID, Name: view.Name, Scopes: view.Scopes, Addresses: view.Addresses,
		ExpiresAt: view.ExpiresAt, Across: view.Across, CreatedAt: view.CreatedAt, Secret: secret,
	}
}

// addressesView shows no networks as an empty list.
func addressesView(networks []netip.Prefix) []string {
	texts := make([]string, len(networks))
	for i, network := range networks {
		texts[i] = tenant.FormatNetwork(network)
	}
	return texts
}

// networksOf reads networks, each once; its faults point below /addresses.
func networksOf(texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	var wrong error
	for i, text := range texts {
		network, err := tenant.ParseNetwork(text)
		if err != nil {
			wrong = errors.Join(wrong, at(err, "/addresses/"+strconv.Itoa(i)))
		} else if !slices.Contains(networks, network) {
			networks = append(networks, network)
		}
	}
	return networks, wrong
}

// onlyTrue is nil for what need not be said.
func onlyTrue(b bool) *bool {
	if !b {
		return nil
	}
	return &b
}

// timeRef is nil for the zero time.
func timeRef(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// optionalTime reads a time that may be absent or null, which is the zero time.
// The precision is that of the store.
func optionalTime(text json.RawMessage) (given bool, t time.Time, err error) {
	switch string(text) {
	case "":
		return false, time.Time{}, nil
	case "null":
		return true, time.Time{}, nil
	}
	if json.Unmarshal(text, &t) != nil || t.IsZero() || t.UTC().Year() > 9999 {
		return true, time.Time{}, fault.New(fault.Invalid, "must be a time such as 2030-01-31T12:00:00Z")
	}
	return true, t.UTC().Truncate(time.Microsecond), nil
}
