package main

import "slices"

// ofOwnership are faults of broker/ownership and broker/liveness.
var ofOwnership = []mutant{
	{
		name: "stale owner is not fenced", rule: "10", file: "broker/ownership/persist.go",
		old: "	case !t.wrote(stored.Record, p.epoch):\n		s.fenced = true\n		t.persisted(p, broker.ErrConflict)\n", new: "",
	},
	{
		name: "stale owner writes at its end", rule: "10", file: "broker/ownership/leave.go",
		old: "(err == nil && !ours):\n		l.write = false", new: "(err == nil && !ours):\n		p.revision = stored.Revision",
	},
	{
		name: "in before the record is taken", rule: "10", file: "broker/ownership/claim.go",
		old: "	t.operate(p, forClaim, Effect{Kind: Save, Record: &r, Revision: c.stored.Revision})\n	return false\n",
		new: "	t.taken(p, c, c.stored.Revision)\n	return true\n",
	},
	{
		name: "former owner is not asked", rule: "10", file: "broker/ownership/claim.go",
		old: "	if t.cfg.Alone || instance == \"\" ||", new: "	if true || t.cfg.Alone || instance == \"\" ||",
	},
	{
		name: "lower epoch goes on", rule: "10", file: "broker/ownership/others.go",
		old: "		if t.outranks(instance, epoch, p.epoch) {\n			t.evict(s)\n		} else {", new: "		if !t.outranks(instance, epoch, p.epoch) {",
	},
	{
		name: "sessions are not asserted again", rule: "10", file: "broker/ownership/others.go",
		old: "		t.emit(Effect{Kind: Assert, Claims: batch})\n", new: "		_ = batch\n",
	},
	{
		name: "failed claim leaves a session", rule: "10", file: "broker/ownership/claim.go",
		old: "r != nil && !r.Fresh && ", new: "r != nil && ",
	},
	{
		name: "outage declares everybody dead", rule: "11", file: "broker/liveness/watch.go",
		old: "	if !w.renewed(leases, asked, now) || !unbroken {\n		clear(w.others)\n	}\n",
		new: "	_ = unbroken\n	w.renewed(leases, asked, now)\n",
	},
	{
		name: "will is removed, then published", rule: "11", file: "broker/liveness/will.go",
		old: "t.will.Message.QoS == 0 && !t.removed", new: "!t.removed",
	},
	{
		name: "will is published under a new ID", rule: "11", file: "broker/liveness/will.go",
		old: "	m.Undated = true\n", new: "	m.Undated = true\n	m.ID[15] += byte(now.UnixNano())\n",
	},
	{
		name: "will of a client that is back", rule: "11", file: "broker/liveness/will.go",
		old: "r != nil && r.Epoch > t.will.Epoch:", new: "r != nil && r.Epoch > t.will.Epoch && false:",
	},
	{
		name: "wills of the dead are forgotten", rule: "11", file: "broker/liveness/estate.go",
		old: "heir(l.Instance, living) == e.cfg.Instance", new: "false",
	},
}

// mutants are all of them.
var mutants = slices.Concat(ofSession, ofOwnership, ofLog, ofWar)
