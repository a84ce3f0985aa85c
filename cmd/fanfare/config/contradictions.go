package config

// contradiction is a pair of settings that cannot both be meant.
type contradiction struct {
	field   string // the setting that the error names
	problem string // what is wrong with it, and what to do
	broken  func(Config) bool
}

func contradictions() []contradiction {
	return append(roleContradictions(), []contradiction{
		{
			field:   "PostgresURL",
			problem: "needs FANFARE_MASTER_KEY, the same for every process that shares the database; make one with: openssl rand -base64 32",
			broken:  func(c Config) bool { return c.PostgresURL != "" && c.Key == nil },
		},
		{
			field:   "NATSCreds",
			problem: "is for an external NATS; set FANFARE_NATS_URL too, or unset it",
			broken:  func(c Config) bool { return c.NATSCreds != "" && !c.Clustered() },
		},
		{
			field:   "NATSReplicas",
			problem: "is for an external NATS; set FANFARE_NATS_URL too, or unset it",
			broken:  func(c Config) bool { return c.NATSReplicas != "" && !c.Clustered() },
		},
		{
			field:   "RedisURL",
			problem: "is for a cluster; set FANFARE_NATS_URL too, or unset it",
			broken:  func(c Config) bool { return c.RedisURL != "" && !c.Clustered() },
		},
		{
			field:   "TLSCert",
			problem: "needs its private key; set FANFARE_TLS_KEY too",
			broken:  func(c Config) bool { return c.TLSCert != "" && c.TLSKey == "" },
		},
		{
			field:   "TLSKey",
			problem: "needs its certificate; set FANFARE_TLS_CERT too",
			broken:  func(c Config) bool { return c.TLSKey != "" && c.TLSCert == "" },
		},
		{
			field:   "MQTTSAddr",
			problem: "needs a certificate; set FANFARE_TLS_CERT and FANFARE_TLS_KEY, or unset it",
			broken:  func(c Config) bool { return c.MQTTSAddr != "" && c.TLSCert == "" },
		},
		{
			field:   "WSSAddr",
			problem: "needs a certificate; set FANFARE_TLS_CERT and FANFARE_TLS_KEY, or unset it",
			broken:  func(c Config) bool { return c.WSSAddr != "" && c.TLSCert == "" },
		},
	}...)
}

// roleContradictions are about what the process is for.
func roleContradictions() []contradiction {
	return []contradiction{
		{
			field:   "OperatorAcross",
			problem: "needs the organization whose credentials may do so; set FANFARE_OPERATOR_ORG too",
			broken:  func(c Config) bool { return c.OperatorAcross == "on" && c.OperatorOrg == "" },
		},
		{
			field:   "Roles",
			problem: "names no role; use some of edge,api,worker",
			broken:  func(c Config) bool { return len(c.roles) == 0 },
		},
		{
			field:   "Roles",
			problem: "has edge, but every MQTT address is empty; set FANFARE_MQTT_ADDR or leave edge out",
			broken:  func(c Config) bool { return c.Has(Edge) && c.MQTTAddr+c.WSAddr+c.MQTTSAddr+c.WSSAddr == "" },
		},
		{
			field:   "HTTPAddr",
			problem: "is empty, but the role api needs it; set it or leave api out of FANFARE_ROLES",
			broken:  func(c Config) bool { return c.Has(API) && c.HTTPAddr == "" },
		},
	}
}
