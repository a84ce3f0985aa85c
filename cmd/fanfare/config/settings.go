// Package config is the one table of everything that can be configured: flags,
// environment variables, help and docs/configuration.md all come from the
// structs in this package.
package config

//go:generate go run ./docs -o ../../../docs/configuration.md

// Settings are the server's settings as they were given: each field is one
// setting, its tags are the table, and its comment is the reason that the
// documentation prints. Check turns them into a Config.
type Settings struct {
	// Everything that must survive a restart is here; back it up as a whole.
	// One process at a time may use it: a second one refuses to start.
	Data string `name:"data" var:"FANFARE_DATA" default:"./data" kind:"folder" group:"Storage" help:"Folder of the embedded database, the message log and the master key."`
	// SQLite serves one process; several processes need one database that all
	// of them reach. Requires FANFARE_MASTER_KEY.
	PostgresURL string `name:"postgres-url" var:"FANFARE_POSTGRES_URL" kind:"url" schemes:"postgres,postgresql" empty:"SQLite in the data folder" group:"Storage" help:"PostgreSQL for organizations, apps and credentials."`
	// Signing secrets must be read back, so they are stored encrypted under
	// this key, and every process that shares a database needs the same one.
	// Without PostgreSQL it is made at the first start, in master.key in the
	// data folder (mode 0600). Lose it and all signing keys are lost.
	MasterKey string `name:"master-key" var:"FANFARE_MASTER_KEY" kind:"key" empty:"made in the data folder" group:"Storage" help:"Key that seals stored secrets."`
	// interval: what is acknowledged survives the death of the process, and a
	// power cut loses at most the last second. always: acknowledged means on
	// disk; publishes take a few milliseconds more. Of an external NATS the
	// servers' own sync_interval decides.
	Sync string `name:"sync" var:"FANFARE_SYNC" default:"interval" kind:"choice" values:"interval,always" group:"Storage" help:"When the embedded message log is flushed to disk."`

	// Per shard of the log, of which there is one with the embedded NATS and 16
	// in a cluster. At the bound publishers are refused until retention has made
	// room. Without one the embedded log leaves 256 MiB of its disk free.
	LogMaxBytes string `name:"log-max-bytes" var:"FANFARE_LOG_MAX_BYTES" kind:"bytes" empty:"what the disk has room for" group:"Storage" help:"Size of each shard of the message log on disk."`

	// Apps choose how long the log keeps their messages, 7 days unless they say
	// otherwise; nothing is kept longer than this. A lower number also shortens
	// the life of what is there.
	LogRetentionDays string `name:"log-retention-days" var:"FANFARE_LOG_RETENTION_DAYS" default:"90" kind:"days" group:"Storage" help:"Longest that the message log keeps a message, in days."`

	// The API, its reference and the portal. Put a TLS proxy in front of it.
	HTTPAddr string `name:"http-addr" var:"FANFARE_HTTP_ADDR" default:":8080" kind:"address" empty:"off" group:"Addresses" help:"HTTP API and portal."`
	// 1883 is the port that IANA assigns to MQTT.
	MQTTAddr string `name:"mqtt-addr" var:"FANFARE_MQTT_ADDR" default:":1883" kind:"address" empty:"off" group:"Addresses" help:"MQTT over TCP."`
	// 8083 is what MQTT client libraries use in their WebSocket examples.
	WSAddr string `name:"ws-addr" var:"FANFARE_WS_ADDR" default:":8083" kind:"address" empty:"off" group:"Addresses" help:"MQTT over WebSocket, for browsers."`
	// Off because it needs a certificate; 8883 is its assigned port.
	MQTTSAddr string `name:"mqtts-addr" var:"FANFARE_MQTTS_ADDR" kind:"address" empty:"off" group:"Addresses" help:"MQTT over TLS, usually :8883."`
	// Off because it needs a certificate.
	WSSAddr string `name:"wss-addr" var:"FANFARE_WSS_ADDR" kind:"address" empty:"off" group:"Addresses" help:"MQTT over WebSocket and TLS, usually :8084."`
	// The leaf certificate first, then its chain. Goes with FANFARE_TLS_KEY.
	TLSCert string `name:"tls-cert" var:"FANFARE_TLS_CERT" kind:"file" empty:"none" group:"Addresses" help:"Certificate of the MQTTS and WSS addresses."`
	// Goes with FANFARE_TLS_CERT.
	TLSKey string `name:"tls-key" var:"FANFARE_TLS_KEY" kind:"file" empty:"none" group:"Addresses" help:"Private key of the certificate."`
	// Every connection from there must begin with a header of version 1 or 2, on
	// all MQTT and WebSocket addresses, else it is closed; the address in it is
	// the client's, for logs and limits. From anywhere else such a header is
	// garbage. HTTP requests from there come from the last address in
	// X-Forwarded-For, for limits, logs and the addresses that API keys are bound
	// to. Name the load balancers alone: whoever is named can lie.
	ProxyFrom string `name:"proxy-from" var:"FANFARE_PROXY_FROM" kind:"networks" empty:"nobody" group:"Addresses" help:"Load balancers that say who their clients are: by the PROXY protocol, or for HTTP by X-Forwarded-For."`
	// Serves /metrics, /healthz and /readyz. Only this machine by default,
	// because metrics tell a stranger too much.
	MetricsAddr string `name:"metrics-addr" var:"FANFARE_METRICS_ADDR" default:"127.0.0.1:9090" kind:"address" empty:"off" group:"Addresses" help:"Prometheus metrics and health."`
	// For operators who keep people's pages on an inner network, for instance
	// on :18083; the HTTP address then serves what backends need and no more.
	AdminAddr string `name:"admin-addr" var:"FANFARE_ADMIN_ADDR" kind:"address" empty:"on the HTTP address" group:"Addresses" help:"Address that serves portal and management apart."`

	// A connection needs a file descriptor; the process raises its own limit as
	// far as it may and keeps a reserve for everything else. More connections
	// are closed at once.
	MaxConnections string `name:"max-connections" var:"FANFARE_MAX_CONNECTIONS" kind:"count" empty:"what the limit of open files allows" group:"Limits" help:"MQTT connections that may be open at once."`
	// Half-open is a connection without an accepted CONNECT. Each step up to
	// there (PROXY header, TLS, WebSocket, CONNECT) has 10 s at most. The default is far above what good clients need, and costs half a
	// gigabyte at worst.
	MaxHalfOpen string `name:"max-half-open" var:"FANFARE_MAX_HALF_OPEN" default:"50000" kind:"count" group:"Limits" help:"Connections that may be half-open at once."`
	// A load balancer without the PROXY protocol, or a network behind one
	// address, looks like one client: 20,000 that connect at the same moment
	// are let in. An IPv6 client is its /64 network.
	MaxHalfOpenPerAddress string `name:"max-half-open-per-address" var:"FANFARE_MAX_HALF_OPEN_PER_ADDRESS" default:"25000" kind:"count" group:"Limits" help:"Connections of one address that may be half-open at once."`
	// Good connects are never counted. An address that fails more often for
	// longer than ten seconds' worth may have only a twentieth of the half-open
	// connections until it has calmed down.
	MaxFailedConnects string `name:"max-failed-connects" var:"FANFARE_MAX_FAILED_CONNECTS" default:"100" kind:"count" group:"Limits" help:"Failed connects of one address per second that are taken calmly."`
	// A client that is gone without a word is noticed after one and a half
	// times its keep alive. MQTT 5.0 clients that ask for a longer one, or for
	// none, are told this (server keep alive); others cannot be told and keep
	// theirs. Short ones cost phones their battery.
	MaxKeepAlive string `name:"max-keep-alive" var:"FANFARE_MAX_KEEP_ALIVE" kind:"keepalive" empty:"what the client asks for" group:"Limits" help:"Longest keep alive of MQTT 5.0 clients, in seconds."`

	// A node that stops asks its MQTT 5.0 clients to use another server. Those
	// that understand a server reference go there; without one, and before 5.0,
	// they connect again through the load balancer.
	DrainTo string `name:"drain-to" var:"FANFARE_DRAIN_TO" kind:"server" empty:"any other node" group:"Cluster" help:"Server that clients are sent to when this process stops."`
	// Several processes with one NATS and one PostgreSQL are one cluster, with
	// no other configuration. The embedded server opens no port. A comma
	// separates several servers of one cluster.
	NATSURL string `name:"nats-url" var:"FANFARE_NATS_URL" kind:"urls" schemes:"nats,tls,ws,wss" empty:"embedded, in the data folder" group:"Cluster" help:"NATS with JetStream, for the message log and between processes."`
	// As made by nsc or the operator of the NATS servers.
	NATSCreds string `name:"nats-creds" var:"FANFARE_NATS_CREDS" kind:"file" empty:"none" group:"Cluster" help:"Credentials file for NATS."`
	// Three copies survive the loss of one server; more than there are servers
	// cannot be had.
	NATSReplicas string `name:"nats-replicas" var:"FANFARE_NATS_REPLICAS" kind:"replicas" empty:"the lesser of 3 and the servers there are" group:"Cluster" help:"Copies that NATS keeps of every message."`
	// An organization's messages are in one of them, which takes about 100,000
	// a second. A higher number than the log has adds streams for organizations
	// that sign up once every node was started with it; a lower one is refused.
	Shards string `name:"shards" var:"FANFARE_SHARDS" kind:"shards" empty:"as many as there are; at first 1 embedded, 16 in a cluster" group:"Cluster" help:"Streams that the message log consists of."`
	// A cluster without Redis, or whose Redis is away, keeps the claims on its
	// nodes and asks all of them. Nothing in it must be kept: it may be empty
	// after a restart. One server, or the primary of several.
	RedisURL string `name:"redis-url" var:"FANFARE_REDIS_URL" kind:"url" schemes:"redis,rediss" empty:"none" group:"Cluster" help:"Redis that knows which node a client is connected to."`
	// Two live nodes of one name cannot be told apart, so the second refuses
	// to start.
	Node string `name:"node" var:"FANFARE_NODE" kind:"node" empty:"the host name" group:"Cluster" help:"Name of this process in its cluster."`
	// edge: MQTT. api: HTTP. worker: work that no request waits for. A small
	// cluster runs all of them everywhere.
	Roles string `name:"roles" var:"FANFARE_ROLES" default:"edge,api,worker" kind:"choices" values:"edge,api,worker" group:"Cluster" help:"What this process does."`

	// closed: POST /v1/signup is refused. open: anybody who reaches the API
	// may create an organization, throttled per address.
	Signup string `name:"signup" var:"FANFARE_SIGNUP" default:"open" kind:"choice" values:"open,closed" group:"Organizations" help:"Whether strangers may sign up."`
	// Its members see the cluster itself, and operate the installation as whoever has the master key does:
	// they list, create, suspend and delete organizations.
	OperatorOrg string `name:"operator-org" var:"FANFARE_OPERATOR_ORG" kind:"slug" empty:"none" group:"Organizations" help:"The organization that runs this cluster."`
	// On, API keys and logins of the operator's organization that an owner has
	// marked so are above the wall: they publish to, and the logins hear, every
	// organization. Each use is in the audit logs of both. Give it to all processes
	// of a cluster.
	OperatorAcross string `name:"operator-across" var:"FANFARE_OPERATOR_ACROSS" default:"off" kind:"choice" values:"off,on" group:"Organizations" help:"Whether credentials of the operator's organization may reach others."`
	// Who changed what in management, and when. What is older is erased.
	AuditLogDays string `name:"audit-days" var:"FANFARE_AUDIT_DAYS" default:"400" kind:"days" group:"Organizations" help:"How long the audit log is kept, in days."`
	// Needed behind a proxy or a load balancer, where the address that clients
	// use is not the one that this process listens on.
	PublicHTTPURL string `name:"public-http-url" var:"FANFARE_PUBLIC_HTTP_URL" kind:"url" schemes:"http,https" empty:"from the HTTP address" group:"Organizations" help:"URL of the API that is shown to people."`
	// Needed behind a proxy, too.
	PublicMQTTURL string `name:"public-mqtt-url" var:"FANFARE_PUBLIC_MQTT_URL" kind:"url" schemes:"mqtt,mqtts,tcp,ssl,tls" empty:"from the MQTT address" group:"Organizations" help:"URL for MQTT clients that is shown to people."`
	// Needed behind a proxy, too.
	PublicWSURL string `name:"public-ws-url" var:"FANFARE_PUBLIC_WS_URL" kind:"url" schemes:"ws,wss" empty:"from the WebSocket address" group:"Organizations" help:"URL for MQTT over WebSocket that is shown to people."`

	// Organizations name addresses that this server calls, such as those of
	// their issuers' keys. deny: hosts of the Internet alone, over https. allow:
	// also those of inner networks, and of this machine over http; whoever may
	// sign up then reaches what this server reaches. Link-local addresses and
	// the metadata services of clouds are refused in either case.
	EgressPrivate string `name:"egress-private" var:"FANFARE_EGRESS_PRIVATE" default:"deny" kind:"choice" values:"deny,allow" group:"Organizations" help:"Whether organizations may have this server call inner networks."`

	// info tells why a client was refused or cut off. debug adds what went
	// well, failed handshakes and the words of the embedded NATS server.
	LogLevel string `name:"log-level" var:"FANFARE_LOG_LEVEL" default:"info" kind:"choice" values:"debug,info,warn,error" group:"Logs" help:"The least important level that is logged."`
	// auto: text on a terminal, JSON elsewhere. Logs go to standard error.
	LogFormat string `name:"log-format" var:"FANFARE_LOG_FORMAT" default:"auto" kind:"choice" values:"auto,text,json" group:"Logs" help:"How log lines are written."`
}

// Endpoint is where the API's clients find the server.
type Endpoint struct {
	// The server of a first try is on the same machine.
	URL string `name:"url" var:"FANFARE_URL" default:"http://127.0.0.1:8080" kind:"url" schemes:"http,https" group:"Client" help:"URL of the API."`
	// For scripts; it is the API's answer, unchanged.
	JSON bool `name:"json" help:"Print JSON instead of words."`
}

// Management is the credential of a person.
type Management struct {
	// Printed by fanfare signup, login and join; it stands for the signed-in member.
	Token string `name:"token" var:"FANFARE_TOKEN" kind:"secret" empty:"none" group:"Client" help:"Management token (ffs_…)."`
}

// AppName names an app.
type AppName struct {
	// The app's slug within the organization of the credentials.
	App string `name:"app" var:"FANFARE_APP" kind:"slug" empty:"none" group:"Client" help:"The app."`
}

// Backend is the credential of an app's backend.
type Backend struct {
	AppName
	// Printed by fanfare app create, once.
	APIKey string `name:"api-key" var:"FANFARE_API_KEY" kind:"secret" empty:"none" group:"Client" help:"API key of the app (ffk_…)."`
}

// Device is what an MQTT client connects with.
type Device struct {
	// The server of a first try is on the same machine.
	URL string `name:"url" var:"FANFARE_MQTT_URL" default:"tcp://127.0.0.1:1883" kind:"url" schemes:"tcp,mqtt,ssl,tls,mqtts,ws,wss" group:"Client" help:"URL of the MQTT listener."`
	// Printed by fanfare token; a JWT, signed with the app's signing key.
	Token string `name:"device-token" short:"P" var:"FANFARE_DEVICE_TOKEN" kind:"secret" empty:"none" group:"Client" help:"Device token: the MQTT password."`
}
