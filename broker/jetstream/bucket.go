package jetstream

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The buckets whose entries are asked for and written raw. NATS's key-value
// tools read them too: a bucket is the stream KV_<name>, a key the subject
// $KV.<name>.<key>.
const (
	sessionsBucket = "SESSIONS"
	willsBucket    = "WILLS"
	leasesBucket   = "LEASES"
)

// Headers of entries.
const (
	// headerWrite tells whose write an entry is, <writer>.<number>, so that a
	// write whose answer was lost can be told from somebody else's.
	headerWrite = "Fanfare-Write"
	// headerOwner names the instance that holds a session, on the records of
	// those alone that are connected.
	headerOwner = "Fanfare-Owner"
	// headerKey is the session's key where the subject has only its digest.
	headerKey = "Fanfare-Key"
	// headerOperation marks an entry that was removed, headerMarker one whose
	// time was over.
	headerOperation = "KV-Operation"
	headerMarker    = "Nats-Marker-Reason"
	operationDelete = "DEL"
)

// maxKey is what a session's key may take of a subject, so that the longest
// one, which asks for it by name, keeps below maxSubject.
const maxKey = 2 << 10

// digestMark stands for user and client identifier in the subject of a key that
// is too long. No level is encoded so.
const digestMark = "%~"

func bucketStream(bucket string) string { return "KV_" + bucket }
func bucketPrefix(bucket string) string { return "$KV." + bucket + "." }

// bucketConfig changes c to what a bucket must be; what it does not mention is
// the operator's.
func bucketConfig(c jetstream.StreamConfig, bucket string) jetstream.StreamConfig {
	c.Name = bucketStream(bucket)
	c.Description = "Fanfare " + strings.ToLower(bucket)
	c.Subjects = []string{bucketPrefix(bucket) + ">"}
	c.Storage = jetstream.FileStorage
	c.Retention = jetstream.LimitsPolicy
	c.Discard = jetstream.DiscardNew
	c.MaxMsgsPerSubject = 1
	c.AllowDirect = true
	c.AllowMsgTTL = true
	c.AllowRollup = true // of NATS's key-value tools
	c.DenyDelete = true
	c.SubjectDeleteMarkerTTL = markerTTL
	c.Duplicates = min(duplicates, time.Minute)
	return c
}

// sessionSubject is where a bucket keeps what belongs to a session. Keys become
// tokens as topics do, so that an app's are found below <org>.<app>.
func sessionSubject(prefix, key string) (subject string, digest bool) {
	s := appendEncoded([]byte(prefix), key)
	if len(s) <= len(prefix)+maxKey {
		return string(s), false
	}
	org, rest, _ := strings.Cut(key, "/")
	app, _, _ := strings.Cut(rest, "/")
	sum := sha256.Sum256([]byte(key))
	s = appendEncoded([]byte(prefix), org+"/"+app)
	return string(s) + "." + digestMark + "." + hex.EncodeToString(sum[:]), true
}
