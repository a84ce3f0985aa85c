package auth_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

var chat = tenant.App{Organization: "acme", ID: "chat"}

// ana has everything that a token can give.
var ana = auth.Identity{
	Org: "acme", App: "chat", User: "ana", Device: "phone-1", ClientID: "phone-1",
	Tags: []string{"beta", "nl"}, Role: "driver",
}

// bob has a token with nothing but a sub.
var bob = auth.Identity{Org: "acme", App: "chat", User: "bob", ClientID: "phone-1"}

func compile(t *testing.T, rules ...tenant.Rule) *auth.Policy {
	t.Helper()
	p, err := auth.Compile(chat, tenant.ACL{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// decide checks what one action allows and denies.
func decide(t *testing.T, may func(*auth.Identity, string) bool, id auth.Identity, allowed, denied []string) {
	t.Helper()
	for _, topic := range allowed {
		if !may(&id, topic) {
			t.Errorf("%s is denied %q", id.User, topic)
		}
	}
	for _, topic := range denied {
		if may(&id, topic) {
			t.Errorf("%s is allowed %q", id.User, topic)
		}
	}
}

// The devices of a mounted app may use any topics of the app but the
// well-known ones, which stay what they are.
func TestMountedGrants(t *testing.T) {
	mounted := chat
	mounted.Settings.Mounted = true
	p, err := auth.Compile(mounted, tenant.ACL{Rules: []tenant.Rule{{
		Effect: tenant.Deny, Action: tenant.All, Topic: "acme/chat/secret/#", Who: tenant.Who{Everyone: true},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	private := []string{
		"acme/chat/users/bob/x", "acme/chat/devices/phone-9", "acme/chat/tags/gamma", "acme/chat/secret/x",
		"acme/shop/presence", "globex/chat/presence", "presence",
	}
	decide(t, p.MayPublish, ana,
		[]string{"acme/chat/presence", "acme/chat/example/1", "acme/chat//x", "acme/chat/users/ana/up/x"},
		append([]string{"acme/chat/topics/news", "acme/chat/broadcast", "acme/chat/users/ana/x", "acme/chat/$x", "acme/chat/$SYS/x"}, private...))
	decide(t, p.MaySubscribe, ana,
		[]string{"acme/chat/presence", "acme/chat/example/#", "$share/g/acme/chat/example/+", "acme/chat/users/ana/#", "acme/chat/broadcast"},
		append([]string{"acme/chat/#", "acme/chat/+", "acme/chat/+/x", "acme/#", "#"}, private...))
}

func TestDefaultGrants(t *testing.T) {
	p := compile(t)
	decide(t, p.MaySubscribe, ana,
		[]string{
			"acme/chat/users/ana", "acme/chat/users/ana/#", "acme/chat/users/ana/inbox", "acme/chat/users/ana/+/x",
			"acme/chat/topics", "acme/chat/topics/#", "acme/chat/topics/news", "acme/chat/topics/+", "acme/chat/broadcast",
			"acme/chat/tags/beta", "acme/chat/tags/nl", "acme/chat/devices/phone-1", "acme/chat/devices/phone-1/#",
			"$share/g/acme/chat/topics/news", "$queue/acme/chat/topics/#", "$local/acme/chat/broadcast",
		},
		[]string{
			"acme/chat/#", "acme/chat", "acme/chat/users/#", "acme/chat/users/+", "acme/chat/users/+/#", "acme/chat/users/bob",
			"acme/chat/users/bob/#", "acme/chat/users/an", "acme/chat/users/ana2", "acme/chat/+/ana", "acme/chat/broadcast/#",
			"acme/chat/broadcast/x", "acme/chat/tags/gamma", "acme/chat/tags/+", "acme/chat/tags/#", "acme/chat/tags/beta/#",
			"acme/chat/tags/beta/x", "acme/chat/devices/phone-2", "acme/chat/devices/+", "acme/chat/devices/#", "acme/other/topics/x",
			"acme/+/topics/x", "acme/#", "$share/g/acme/chat/users/bob", "acme/chat/tags/", "acme/chat/devices/", "acme/chat/users/",
		})
	decide(t, p.MaySubscribe, bob,
		[]string{"acme/chat/users/bob/#", "acme/chat/topics/#", "acme/chat/broadcast"},
		[]string{
			"acme/chat/users/ana", "acme/chat/devices/phone-1", "acme/chat/devices/phone-1/#", "acme/chat/devices/${device}",
			"acme/chat/devices//#", "acme/chat/tags/beta", "acme/chat/tags/", "acme/chat/users/${user}/#",
		})
	decide(t, p.MayPublish, ana,
		[]string{"acme/chat/users/ana/up", "acme/chat/users/ana/up/x", "acme/chat/users/ana/up/x/y"},
		[]string{
			"acme/chat/users/ana", "acme/chat/users/ana/inbox", "acme/chat/users/bob/up/x", "acme/chat/topics/news",
			"acme/chat/broadcast", "acme/chat/devices/phone-1", "acme/chat/tags/beta", "acme/chat/users/ana/upper",
			"acme/chat/users/ana/up/#", "acme/chat/users/ana/up/+", "", "acme/chat/users/ana/up/\x00", "acme/chat/users/ana/up/\xff",
			"$share/g/acme/chat/users/ana/up/x",
		})
}

// Whatever the rules say, nobody gets out of their organization.
func TestWallComesBeforeEveryRule(t *testing.T) {
	p := compile(t, rule(tenant.Allow, tenant.All, "${org}/#"), rule(tenant.Allow, tenant.All, "acme/#"))
	decide(t, p.MaySubscribe, ana,
		[]string{"acme/#", "acme/+", "acme/other/#", "acme/", "acme//x", "$share/g/acme/#", "$queue/acme/#", "$local/acme/#"},
		[]string{
			"globex/#", "globex/chat/x", "+/chat/#", "#", "+", "/#", "+/#", "/", "/acme/x", "acme", "acm/x", "acmee/x", "Acme/x", "",
			"$share/g/globex/x", "$share/g/#", "$share/g/+/#", "$share/acme/globex/x", "$queue/globex/#", "$queue/#", "$local/globex/#",
			"$share/g/$share/g/globex/x", "$share/g/$queue/acme/x", "$local/$share/g/acme/x", "$SYS/#", "$share/acme/#", "$share//acme/x",
			"$share/acme/x", "$share/g/", "$share/g", "$queue/", "$queue", "acme/x#", "acme/#/x", "acme/a+", "acme/\x00", "acme/\xff",
		})
	decide(t, p.MayPublish, ana,
		[]string{"acme/x", "acme/", "acme/other/x", "acme/$SYS/x"},
		[]string{"globex/chat/x", "acme", "/acme/x", "acmee/x", "$SYS/x", "+/x", "acme/+", "acme/#", "$share/g/acme/x", "$queue/acme/x", ""})

	stranger := ana
	stranger.Org = "globex"
	decide(t, p.MaySubscribe, stranger, nil, []string{"acme/chat/topics/x", "globex/chat/topics/x"})
	decide(t, p.MayPublish, stranger, nil, []string{"acme/chat/users/ana/up/x", "globex/chat/users/ana/up/x"})
	neighbour := ana
	neighbour.App = "other"
	decide(t, p.MaySubscribe, neighbour, nil, []string{"acme/chat/topics/x"})
	decide(t, new(auth.Policy).MayPublish, auth.Identity{}, nil, []string{"/x", "x", ""})
	decide(t, new(auth.Policy).MaySubscribe, auth.Identity{}, nil, []string{"/x", "#", "/#"})
}

func TestFirstMatchingRuleDecidesAPublish(t *testing.T) {
	p := compile(t,
		rule(tenant.Deny, tenant.Publish, "acme/chat/room/secret/#"),
		rule(tenant.Allow, tenant.All, "acme/chat/room/#"),
		rule(tenant.Deny, tenant.All, "acme/chat/room/late/#"), // too late: room/# comes first
		rule(tenant.Deny, tenant.Subscribe, "acme/chat/users/+/up/#"),
		rule(tenant.Deny, tenant.Publish, "acme/chat/users/${user}/up/off"),
	)
	decide(t, p.MayPublish, ana,
		[]string{"acme/chat/room", "acme/chat/room/x", "acme/chat/room/late/x", "acme/chat/users/ana/up/x"},
		[]string{"acme/chat/room/secret", "acme/chat/room/secret/x", "acme/chat/users/ana/up/off", "acme/chat/rooms", "acme/chat/topics/x"})
}

func TestSubscribeNeedsACoverBeforeAnyIntersectingDeny(t *testing.T) {
	p := compile(t,
		rule(tenant.Allow, tenant.Subscribe, "acme/chat/room/open/#"),
		rule(tenant.Deny, tenant.Subscribe, "acme/chat/room/+/secret"),
		rule(tenant.Allow, tenant.Subscribe, "acme/chat/room/#"),
		rule(tenant.Allow, tenant.Subscribe, "acme/chat/half/+"),
		rule(tenant.Allow, tenant.Subscribe, "acme/chat/half"),
		rule(tenant.Deny, tenant.Publish, "acme/chat/topics/#"),
		rule(tenant.Deny, tenant.All, "acme/chat/topics/hidden"),
	)
	decide(t, p.MaySubscribe, ana,
		[]string{
			"acme/chat/room/open/#", "acme/chat/room/open/secret", // allowed before the deny
			"acme/chat/room/a/b", "acme/chat/room/+/b", "acme/chat/room", "acme/chat/half/+", "acme/chat/half",
			"acme/chat/topics/news", "$share/g/acme/chat/room/a/b",
		},
		[]string{
			"acme/chat/room/#", "acme/chat/room/a/#", "acme/chat/room/a/+", "acme/chat/room/a/secret", "acme/chat/room/+/+",
			"acme/chat/+/a/b", // merely touched by an allow
			"acme/chat/half/#",
			"acme/chat/topics/#", "acme/chat/topics/+", "acme/chat/topics/hidden", // the default grant comes after the deny
			"$share/g/acme/chat/room/a/secret", "$queue/acme/chat/room/#", "$local/acme/chat/room/a/+",
		})
}

// No single grant covers "half/#", though the two together are all of it.
func TestSeveralAllowsDoNotAddUp(t *testing.T) {
	p := compile(t, rule(tenant.Allow, tenant.Subscribe, "acme/h"), rule(tenant.Allow, tenant.Subscribe, "acme/h/+/#"))
	decide(t, p.MaySubscribe, ana, []string{"acme/h", "acme/h/+/#"}, []string{"acme/h/#"})
}

func TestWho(t *testing.T) {
	for who, applies := range map[tenant.Who][]string{
		{Everyone: true}: {"ana", "bob"},
		{User: "ana"}:    {"ana"},
		{User: "eve"}:    {},
		{Tag: "nl"}:      {"ana"},
		{Tag: "be"}:      {},
		{Role: "driver"}: {"ana"},
		{Role: "admin"}:  {},
	} {
		p := compile(t, tenant.Rule{Effect: tenant.Allow, Action: tenant.All, Topic: "acme/x/#", Who: who})
		for _, id := range []auth.Identity{ana, bob} {
			want := slices.Contains(applies, id.User)
			if got := p.MayPublish(&id, "acme/x/y"); got != want {
				t.Errorf("%+v: %s may publish: %t", who, id.User, got)
			}
			if got := p.MaySubscribe(&id, "acme/x/#"); got != want {
				t.Errorf("%+v: %s may subscribe: %t", who, id.User, got)
			}
		}
	}
}

func TestPlaceholders(t *testing.T) {
	p := compile(t,
		rule(tenant.Allow, tenant.All, "${org}/${app}/p/${user}/${device}/#"),
		rule(tenant.Allow, tenant.All, "acme/twice/${user}/${user}"),
		rule(tenant.Deny, tenant.All, "acme/d/${device}"),
		rule(tenant.Allow, tenant.All, "acme/d/+"),
	)
	decide(t, p.MayPublish, ana,
		[]string{"acme/chat/p/ana/phone-1/x", "acme/twice/ana/ana", "acme/d/phone-2"},
		[]string{"acme/chat/p/ana/phone-2/x", "acme/chat/p/bob/phone-1/x", "acme/other/p/ana/phone-1", "acme/twice/ana/bob", "acme/d/phone-1"})
	decide(t, p.MaySubscribe, bob, // without a device claim, rules with ${device} are not for him
		[]string{"acme/d/+", "acme/d/phone-1", "acme/twice/bob/bob"},
		[]string{"acme/chat/p/bob/phone-1/x", "acme/chat/p/bob/#", "acme/chat/p/bob//#", "acme/chat/p/bob/${device}/#"})
	decide(t, p.MaySubscribe, ana, nil, []string{"acme/d/+"})
}

// An identity that no CONNECT lets through still opens nothing.
func TestValuesThatAreNotOneLevelFillNothingIn(t *testing.T) {
	p := compile(t, rule(tenant.Allow, tenant.All, "acme/p/${user}"), rule(tenant.Allow, tenant.All, "acme/q/${device}/#"))
	for _, evil := range []string{"+", "#", "a/b", "", "../x", "ana/#", "$share", "a\x00"} {
		id := auth.Identity{Org: "acme", App: "chat", User: evil, Device: evil, Tags: []string{evil}}
		decide(t, p.MaySubscribe, id, nil, []string{
			"acme/p/+", "acme/p/#", "acme/p/ana", "acme/p/" + evil, "acme/q/+/#", "acme/q/#", "acme/chat/users/+/#", "acme/chat/users/#",
			"acme/chat/users/ana", "acme/chat/tags/+", "acme/chat/tags/#", "acme/chat/tags/" + evil, "acme/chat/devices/#", "acme/chat/devices/+/#",
		})
		decide(t, p.MayPublish, id, nil, []string{"acme/p/ana", "acme/p/" + evil, "acme/q/x", "acme/chat/users/ana/up/x"})
	}
}

func TestCompileFaults(t *testing.T) {
	everyone := tenant.Who{Everyone: true}
	topic := func(s string) tenant.Rule { return rule(tenant.Allow, tenant.All, s) }
	who := func(w tenant.Who) tenant.Rule {
		return tenant.Rule{Effect: tenant.Allow, Action: tenant.All, Topic: "acme/x", Who: w}
	}
	for i, test := range []struct {
		rule  tenant.Rule
		code  fault.Code
		field string
	}{
		{tenant.Rule{Effect: "maybe", Action: tenant.All, Topic: "acme/x", Who: everyone}, fault.Invalid, "/effect"},
		{tenant.Rule{Action: tenant.All, Topic: "acme/x", Who: everyone}, fault.Invalid, "/effect"},
		{tenant.Rule{Effect: tenant.Deny, Action: "read", Topic: "acme/x", Who: everyone}, fault.Invalid, "/action"},
		{topic(""), fault.Invalid, "/topic"},
		{topic("acme/#/x"), fault.Invalid, "/topic"},
		{topic("acme/x#"), fault.Invalid, "/topic"},
		{topic("acme/a+"), fault.Invalid, "/topic"},
		{topic("acme/\x00"), fault.Invalid, "/topic"},
		{topic("acme/\xff"), fault.Invalid, "/topic"},
		{topic("acme/${nobody}"), fault.Invalid, "/topic"},
		{topic("acme/${tag}"), fault.Invalid, "/topic"},
		{topic("acme/${}"), fault.Invalid, "/topic"},
		{topic("acme/${User}"), fault.Invalid, "/topic"},
		{topic("acme/u-${user}"), fault.Invalid, "/topic"},
		{topic("acme/${user}x"), fault.Invalid, "/topic"},
		{topic("acme/${user}${device}"), fault.Invalid, "/topic"},
		{topic("acme/${user"), fault.Invalid, "/topic"},
		{topic("acme/${user/x}"), fault.Invalid, "/topic"},
		{topic("$share/g/acme/x"), fault.Invalid, "/topic"},
		{topic("$queue/acme/x"), fault.Invalid, "/topic"},
		{topic("$local/acme/x"), fault.Invalid, "/topic"},
		{topic("acme"), fault.OutsideWall, "/topic"},
		{topic("${org}"), fault.OutsideWall, "/topic"},
		{topic("globex/x"), fault.OutsideWall, "/topic"},
		{topic("acmee/x"), fault.OutsideWall, "/topic"},
		{topic("#"), fault.OutsideWall, "/topic"},
		{topic("+/x"), fault.OutsideWall, "/topic"},
		{topic("/acme/x"), fault.OutsideWall, "/topic"},
		{topic("${user}/x"), fault.OutsideWall, "/topic"},
		{topic("${app}/x"), fault.OutsideWall, "/topic"},
		{topic("$SYS/x"), fault.OutsideWall, "/topic"},
		{who(tenant.Who{}), fault.Invalid, "/who"},
		{who(tenant.Who{Everyone: true, User: "ana"}), fault.Invalid, "/who"},
		{who(tenant.Who{Tag: "a", Role: "b"}), fault.Invalid, "/who"},
		{who(tenant.Who{User: "a", Tag: "a", Role: "b"}), fault.Invalid, "/who"},
		{who(tenant.Who{User: "a/b"}), fault.Invalid, "/who/user"},
		{who(tenant.Who{Tag: "#"}), fault.Invalid, "/who/tag"},
		{who(tenant.Who{Role: "a\n"}), fault.Invalid, "/who/role"},
	} {
		for at := range 3 {
			rules := []tenant.Rule{topic("acme/x"), topic("acme/y"), topic("acme/z")}
			rules[at] = test.rule
			_, err := auth.Compile(chat, tenant.ACL{Rules: rules})
			wantFault(t, err, test.code, fmt.Sprintf("/rules/%d%s", at, test.field))
			if t.Failed() {
				t.Fatalf("case %d: %+v", i, test.rule)
			}
		}
	}
}

// An organization may be called "user": a placeholder is no way to name it.
func TestPlaceholderIsNoOrganization(t *testing.T) {
	for _, org := range []string{"user", "device"} {
		app := tenant.App{Organization: org, ID: "chat"}
		_, err := auth.Compile(app, tenant.ACL{Rules: []tenant.Rule{rule(tenant.Allow, tenant.All, "${"+org+"}/x")}})
		wantFault(t, err, fault.OutsideWall, "/rules/0/topic")
	}
}

func TestAtMostAThousandRules(t *testing.T) {
	rules := slices.Repeat([]tenant.Rule{rule(tenant.Allow, tenant.All, "acme/x")}, 1000)
	if _, err := auth.Compile(chat, tenant.ACL{Rules: rules}); err != nil {
		t.Error(err)
	}
	_, err := auth.Compile(chat, tenant.ACL{Rules: append(rules, rules[0])})
	wantFault(t, err, fault.Invalid, "/rules")
}
