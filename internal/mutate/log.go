package main

// ofLog are faults of broker/jetstream. The simulation has a model of the log in
// its place, so that tests with real servers have to find these.
var ofLog = []mutant{
	{
		name: "cut-off answer is whole", rule: "1", file: "broker/jetstream/ask.go",
		old: "!broken && number(m, headerLast) == ans.last", new: "true",
		pkg: "broker/jetstream", test: "TestReadInspectsTheAnswer",
	},
	{
		name: "matches that follow are forgotten", rule: "1", file: "broker/jetstream/read.go",
		old: "ans.whole && ans.pending == 0:", new: "ans.whole:",
		pkg: "broker/jetstream", test: "TestReadInspectsTheAnswer",
	},
	{
		name: "probe without a sentinel", rule: "2", file: "broker/jetstream/read.go",
		old: "append(subjects, sentinel(int(q.Shard)))", new: "subjects",
		pkg: "broker/jetstream", test: "^TestRead$|TestReadInspectsTheAnswer",
	},
	{
		name: "ids are the whole log's", rule: "3", file: "broker/jetstream/collapse.go",
		old: "	org, app := appOf(m.Topic)\n	dst = append(appendEncoded(dst, org), '.')\n	dst = append(appendEncoded(dst, app), '.')\n", new: "",
		pkg: "broker/jetstream", test: "TestCollapseKeyRetry",
	},
	{
		name: "log begins no generation", rule: "4", file: "broker/jetstream/generation.go",
		old: "Start: last + 1}", new: "Start: last + 1000}",
		pkg: "broker/jetstream", test: "TestGenerations",
	},
	{
		name: "repetition has a previous message", rule: "order", file: "broker/jetstream/previous.go",
		old: "seq; again {", new: "seq; again && false {",
		pkg: "broker/jetstream", test: "TestPrevious",
	},
	{
		name: "publisher goes on after a failure", rule: "order", file: "broker/jetstream/lane.go",
		old: "(!old && !publishers[e.m.Publisher])", new: "!old",
		pkg: "broker/jetstream", test: "TestGivesUpAPublisher",
	},
	{
		name: "retained message goes back", rule: "8", file: "broker/jetstream/retained.go",
		old: "strconv.FormatUint(max(last.position, m.Position.Seq), 10)", new: "strconv.FormatUint(m.Position.Seq, 10)",
		pkg: "broker/jetstream", test: "TestRetainedNeverGoesBack|TestRetainedFromTwoNodes",
	},
	{
		name: "group keeps what it has", rule: "9", file: "broker/jetstream/loan.go",
		old: "if now.Sub(l.said) >= progress {", new: "if false {",
		pkg: "broker/jetstream", test: "TestGroup",
	},
	{
		name: "overlapping interests deliver twice", rule: "13", file: "broker/jetstream/live.go",
		old: "ok && !in.seen.add(id) {", new: "ok && !in.seen.add(id) && false {",
		pkg: "broker/jetstream", test: "TestOverlappingInterestsDeliverOnce",
	},
}
