package conformance_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// The transports that this run goes over; all of them take four times as long.
var transports = flag.String("transports", "tcp", "comma-separated list of tcp, tls, ws and wss, or all")

// groups are the cases by normative area.
var groups = []struct {
	name  string
	rules [][]rule
}{
	{"connect", [][]rule{connectRules, clientIDRules, connackRules}},
	{"malformed", [][]rule{malformedRules, malformedConnectRules, malformedV5Rules}},
	{"publish", [][]rule{publishRules, qosRules, orderRules}},
	{"subscribe", [][]rule{subscribeRules, optionRules, identifierRules, unsubscribeRules, filterRules}},
	{"session", [][]rule{sessionRules, resumeRules, takeoverRules}},
	{"keepalive", [][]rule{keepAliveRules}},
	{"will", [][]rule{willRules}},
	{"retained", [][]rule{retainedRules}},
	{"properties", [][]rule{propertyRules, aliasRules, expiryRules, limitRules}},
	{"auth", [][]rule{authRules, reauthRules}},
	{"shared", [][]rule{sharedRules}},
	{"wall", [][]rule{wallRules}},
	{"disconnect", [][]rule{disconnectRules}},
	{"websocket", [][]rule{webSocketRules}},
	{"clients", [][]rule{oldVersionRules, iosRules}},
}

var (
	subject        *target
	passed, failed atomic.Int64
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The cases wait much more than they work.
	if err := flag.Set("test.parallel", "48"); err != nil {
		panic(err)
	}
	err := testTarget(m)
	fmt.Fprintf(os.Stdout, "%d passed, %d failed\n", passed.Load(), failed.Load())
	if err != nil {
		panic(err)
	}
}

// testTarget runs the tests; the testing package takes their result itself.
func testTarget(m *testing.M) (err error) {
	if urls := os.Getenv("FANFARE_CONFORMANCE_BROKER"); urls != "" {
		if subject, err = foreign(urls); err != nil {
			return err
		}
		m.Run()
		return nil
	}
	folder, err := os.MkdirTemp("", "fanfare-conformance-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	target, stop, err := local(context.Background(), folder)
	if err != nil {
		return err
	}
	subject = target
	m.Run()
	return stop()
}

// TestConformance runs every case in each of its versions over the transports.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, l := range subject.links {
		if *transports != "all" && !slices.Contains(strings.Split(*transports, ","), l.kind) {
			continue
		}
		for _, group := range groups {
			t.Run(l.kind+"/"+group.name, func(t *testing.T) {
				t.Parallel()
				for _, rule := range slices.Concat(group.rules...) {
					runRule(t, l, rule)
				}
			})
		}
	}
}

func runRule(t *testing.T, l link, rule rule) {
	t.Helper()
	if rule.webSocket && !l.webSocket() || rule.fanfare && subject.fanfare == nil {
		return
	}
	for version, clause := range rule.versions() {
		title := map[byte]string{v31: "v3.1", v311: "v3.1.1", v5: "v5"}[version] + " " + clause + " " + rule.name
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() {
				if t.Failed() {
					failed.Add(1)
				} else {
					passed.Add(1)
				}
			})
			rule.run(newRun(t, subject, l, version))
		})
	}
}

// TestEnough counts the cases: a version of a rule is a case, a transport is not.
func TestEnough(t *testing.T) {
	t.Parallel()
	cases := map[string]bool{}
	for _, group := range groups {
		for _, rule := range slices.Concat(group.rules...) {
			for version, clause := range rule.versions() {
				cases[fmt.Sprint(version, clause, rule.name)] = true
			}
		}
	}
	if len(cases) < 200 {
		t.Errorf("%d distinct cases, want 200", len(cases))
	}
}
