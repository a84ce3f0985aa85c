package keyset

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// How long a document is good for: as its Cache-Control says (RFC 9111 §5.2),
// within bounds.
const (
	minAge     = time.Minute
	maxAge     = 24 * time.Hour
	defaultAge = 10 * time.Minute
	// afterFailure is when an address that has failed is asked again.
	afterFailure = time.Minute
)

// ask asks a set's address and keeps what comes of it. Its faults can be shown
// to the app's owner.
func (k *Keeper) ask(ctx context.Context, set tenant.KeySet, began time.Time) error {
	document, age, err := k.fetch(ctx, set.URL)
	ctx, cancel := context.WithTimeout(ctx, keepPatience)
	defer cancel()
	log := k.cfg.Logger.With(slog.String("organization", set.Organization), slog.String("app", set.App), slog.String("key_set", set.ID))
	if err != nil {
		log.Info("a key set does not answer well", slog.Any("error", err))
		failure := fault.New(fault.Unavailable, describe(err))
		kept := k.cfg.Store.FailKeySet(ctx, set.Organization, set.App, set.ID, failure.Message, began, k.now().Add(soon(afterFailure)))
		return errors.Join(failure, ignoreGone(kept))
	}
	changed, err := k.cfg.Store.SaveKeySet(ctx, set.Organization, set.App, set.ID, document, began, k.now().Add(soon(age)))
	if err != nil {
		return ignoreGone(err)
	}
	// Whoever asked may not have heard of a change that another node has made.
	if changed || document != set.Document {
		log.Info("a key set has other keys")
		k.cfg.Changed(ctx, set.Organization, set.App)
	}
	return nil
}

// soon is well before an age is reached, for each set at another time.
func soon(age time.Duration) time.Duration {
	return age*7/10 + rand.N(age/10) //nolint:gosec // nobody gains by guessing it
}

// ignoreGone lets what belongs to a set that is gone pass.
func ignoreGone(err error) error {
	if fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// fetch returns the canonical form of the document at an address, and how long
// it is good for.
func (k *Keeper) fetch(ctx context.Context, url string) (document string, age time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", 0, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := k.cfg.Client.Do(r)
	if err != nil {
		return "", 0, err
	}
	defer answer.Body.Close() //nolint:errcheck // nothing is lost when a read body does not close
	if answer.StatusCode != http.StatusOK {
		return "", 0, fault.Newf(fault.Unavailable, "it answers with status %d", answer.StatusCode)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", 0, err
	}
	if document, err = tenant.CanonicalKeySet(body); err != nil {
		return "", 0, fault.New(fault.Invalid, "its answer "+err.Error())
	}
	return document, ageOf(answer.Header), nil
}

// ageOf is how much longer an answer is fresh.
func ageOf(h http.Header) time.Duration {
	age := defaultAge
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return minAge
		case "max-age":
			if n, ok := seconds(strings.Trim(value, `"`)); ok {
				age = n
			}
		}
	}
	if passed, ok := seconds(h.Get("Age")); ok {
		age -= passed
	}
	return min(max(age, minAge), maxAge)
}

// seconds reads a number of seconds (RFC 9111 §1.2.2); more than any age here is
// as good as the most.
func seconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	if errors.Is(err, strconv.ErrRange) {
		return maxAge, true
	}
	return time.Duration(min(n, uint64(maxAge/time.Second))) * time.Second, err == nil
}

// describe says what has gone wrong, in words for the app's owner: nothing of
// where an inner network leads, and nothing of what was answered.
func describe(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the name of its host cannot be looked up"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its host's certificate is not trusted"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("it does not answer within %d seconds", int(patience/time.Second))
	}
	return "it does not answer"
}
