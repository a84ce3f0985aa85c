package main

// ofSession are faults of broker/session.
var ofSession = []mutant{
	{
		name: "floor passes what is on its way", rule: "1", file: "broker/session/progress.go",
		old: "; ok && seq <= upTo {", new: "; ok && seq <= upTo && false {",
	},
	{
		name: "floor rises to a head heard of", rule: "1", file: "broker/session/reader.go",
		old: "r.more, r.pageEnd, r.told = p.More, p.UpTo, true", new: "r.more, r.pageEnd, r.told = p.More, max(p.UpTo, s.progress.heard), true",
	},
	{
		name: "cut-off answer counts as whole", rule: "1", file: "broker/session/reader.go",
		old: "r.more, r.pageEnd, r.told = p.More, p.UpTo, true", new: "r.more, r.pageEnd, r.told = false, max(p.UpTo, s.progress.heard), true",
	},
	{
		name: "generation is not looked at", rule: "4", file: "broker/generation.go",
		old: "if r.Generation != 0 && g.Number > r.Generation {", new: "if false {",
	},
	{
		name: "re-SUBSCRIBE begins anew", rule: "5", file: "broker/session/subscribe.go",
		old: "	raised := old.begun && !old.owed() && sub.logged()", new: "	raised := true",
	},
	{
		name: "live before the log was read", rule: "6", file: "broker/session/reader.go",
		old: "		if !r.more && r.missed <= r.upTo {", new: "		if !r.more {",
	},
	{
		name: "live despite a loss", rule: "6", file: "broker/session/reader.go",
		old: "				s.fallBehind(seq)\n				s.pump(now)\n				return\n", new: "",
	},
	{
		name: "previous message is not missed", rule: "order", file: "broker/session/reader.go",
		old: "	return s.news(seq) && slices.ContainsFunc(s.subscriptions.list, func(sub subscription) bool {\n		return sub.owed()",
		new: "	return false && slices.ContainsFunc(s.subscriptions.list, func(sub subscription) bool {\n		return sub.owed()",
	},
	{
		name: "publisher forgets it was elsewhere", rule: "order", file: "broker/session/previous.go",
		old: "	return broker.UnknownPrevious\n", new: "	return 0 & broker.UnknownPrevious\n",
	},
	{
		name: "QoS 2 out before its record", rule: "7", file: "broker/session/persist.go",
		old: "s.flights.held > 0 || (qos == 2 && s.durable())", new: "s.flights.held > 0",
	},
	{
		name: "PUBREL before its record", rule: "7", file: "broker/session/acknowledge.go",
		old: "		s.await(step{kind: packet.PUBREL, id: p.PacketID}, now)", new: "		s.pubrel(p.PacketID, packet.Success)",
	},
	{
		name: "identifier free at PUBREC", rule: "7", file: "broker/session/acknowledge.go",
		old: "			e.Released = true\n			s.changed()\n		}", new: "			e.Released = true\n			s.changed()\n		}\n		s.flights.remove(i)",
	},
	{
		name: "gone message has no PUBREL", rule: "7", file: "broker/session/resume.go",
		old: "		if e.QoS == 2 {\n			e.Released = true\n			continue\n		}\n		s.flights.remove(i)\n", new: "		s.flights.remove(i)\n",
	},
	{
		name: "QoS 2 in before its record", rule: "7", file: "broker/session/identify.go",
		old: "ID: m.ID})\n	s.changed()\n", new: "ID: m.ID})\n",
	},
	{
		name: "QoS 2 in again under a new ID", rule: "7", file: "broker/session/identify.go",
		old: "		if p.Dup {", new: "		if p.Dup && false {",
	},
	{
		name: "SUBACK before its record", rule: "record", file: "broker/session/subscribe.go",
		old: "r.subscribing[n].need <= s.ledger.written", new: "true",
	},
	{
		name: "record is not written", rule: "record", file: "broker/session/persist.go",
		old: "	s.emit(Effect{Kind: Persist, Token: l.token, Record: s.record(now)})\n",
		new: "	l.asked, l.written = false, l.writing\n	s.proceed(now)\n",
	},
	{
		name: "acknowledged before the append", rule: "append", file: "broker/session/publish.go",
		old: "incoming{id: p.PacketID, qos: p.QoS})\n	if p.QoS == 2", new: "incoming{id: p.PacketID, qos: p.QoS, safe: true})\n	s.acknowledge()\n	if p.QoS == 2",
	},
	{
		name: "sent again without DUP", rule: "DUP", file: "broker/session/resume.go",
		old: "s.writeOwn(m, g, e.PacketID, true, now)", new: "s.writeOwn(m, g, e.PacketID, false, now)",
	},
	{
		name: "identifier given out twice", rule: "ids", file: "broker/session/flights.go",
		old: "		f.last++\n		if f.last != 0 && f.index(f.last) < 0 {", new: "		f.last = f.last%4 + 1\n		if true {",
	},
	{
		name: "wall has a hole", rule: "wall", file: "broker/topic/wall.go",
		old: `ok && rest != "" && rest[0] == '/'`, new: "ok && len(rest) >= 0",
	},
}
