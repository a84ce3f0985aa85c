package main

const (
	// war is the test that lets two organizations fight.
	war, warPkg = "^TestWar$", "internal/war"
	// warOperations are how many it may take to find a hole.
	warOperations = 10_000
)

// ofWar are holes in the wall between organizations, at the places that it
// stands on.
var ofWar = []mutant{
	{
		name: "wall is open", rule: "wall", file: "broker/topic/wall.go",
		old: `return ok && rest != "" && rest[0] == '/'`, new: "return ok || rest == filterOrName",
		pkg: warPkg, test: war,
	},
	{
		name: "wall forgets its slash", rule: "wall", file: "broker/topic/wall.go",
		old: `return ok && rest != "" && rest[0] == '/'`, new: `return ok && rest != ""`,
		pkg: warPkg, test: war,
	},
	{
		name: "share groups are not asked about", rule: "wall", file: "broker/session/subscribe.go",
		old: "case !s.authorizer.MaySubscribe(parsed.Filter):", new: "case parsed.Kind == topic.Plain && !s.authorizer.MaySubscribe(parsed.Filter):",
		pkg: warPkg, test: war,
	},
	{
		name: "refused filter is held", rule: "wall", file: "broker/session/subscribe.go",
		old: "		e.codes[i] = s.failed(code) // [MQTT-3.8.4-6]\n",
		new: "		e.codes[i] = s.failed(code)\n		if parsed, err := topic.Parse(asked.Filter); err == nil {\n" +
			"			sub = subscription{Subscription: broker.Subscription{Filter: asked.Filter, QoS: 1}, match: parsed.Filter, kind: parsed.Kind}\n" +
			"			s.subscriptions.set(sub)\n			e.added, e.replays = append(e.added, sub.Filter), append(e.replays, &replay{sub: sub})\n		}\n",
		pkg: warPkg, test: war,
	},
	{
		name: "any will is published", rule: "wall", file: "broker/session/admit.go",
		old: "if reason, ok := s.mayPublish(name); !ok || s.foreign(name) {", new: "if reason, ok := s.mayPublish(name); !ok && reason.Name == ReasonTopicLimit.Name {",
		pkg: warPkg, test: war,
	},
	{
		name: "session without organization", rule: "wall", file: "broker/edge/authenticate.go",
		old: "broker.SessionKey(device.Org, ", new: `broker.SessionKey("all", `,
		pkg: warPkg, test: war,
	},
	{
		name: "user name is not looked at", rule: "wall", file: "auth/devices.go",
		old: `	if username == "" {`, new: `	if username != "*" {`,
		pkg: warPkg, test: war,
	},
	{
		name: "keys see other apps", rule: "wall", file: "api/apps.go",
		old: `if caller.App != "" && caller.App != app {`, new: `if caller.App == "*" {`,
		pkg: warPkg, test: war,
	},
	{
		name: "login is found without organization", rule: "wall", file: "tenant/store/login.go",
		old: "	WHERE organization = $1 AND app = $2 AND username = $3`\n\n", new: "	WHERE organization <> $1 AND app = $2 AND username = $3`\n\n",
		pkg: warPkg, test: war,
	},
	{
		name: "login is deleted everywhere", rule: "wall", file: "tenant/store/login.go",
		old: "`DELETE FROM logins WHERE organization = $1 AND", new: "`DELETE FROM logins WHERE $1 <> '' AND",
		pkg: warPkg, test: war,
	},
	{
		name: "API publishes anywhere", rule: "wall", file: "api/above.go",
		old: "if topic.InsideWall(caller.Organization, name) {", new: `if caller.Organization != "*" || topic.InsideWall(caller.Organization, name) {`,
		pkg: warPkg, test: war,
	},
	{
		name: "anybody may be above the wall", rule: "wall", file: "api/above.go",
		old: "caller.Organization != a.cfg.OperatorOrganization:", new: `caller.Organization == "*":`,
		pkg: warPkg, test: war,
	},
	{
		name: "rules may be about others", rule: "wall", file: "auth/rule.go",
		old: "if levels[0] != app.Organization || !topic.InsideWall(app.Organization, probe) {", new: `if !topic.InsideWall(levels[0], probe) && probe != "#" {`,
		pkg: warPkg, test: war,
	},
	{
		name: "subjects are not escaped", rule: "wall", file: "broker/jetstream/subject.go",
		old: "			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])\n", new: "			dst = append(dst, c)\n",
		pkg: warPkg, test: war,
	},
}
