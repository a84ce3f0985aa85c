package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// addPostgres makes a database folder if there is none.
func (c *Cluster) addPostgres(ctx context.Context) error {
	programs := map[string]string{"initdb": "", "postgres": ""}
	for name := range programs {
		path, err := testenv.PostgresProgram(name)
		if err != nil {
			return err
		}
		programs[name] = path
	}
	account, err := testenv.Unprivileged("postgres", "nobody")
	if err != nil {
		return err
	}
	p := &Part{
		Name: "postgres", Serve: at(c.ports.postgres), path: programs["postgres"], account: account,
		signal: os.Interrupt, // a fast shutdown: it does not wait for clients
		ready:  func(ctx context.Context) error { return testenv.PingPostgres(ctx, c.postgresURL()) },
	}
	if err := c.add(p); err != nil {
		return err
	}
	data := filepath.Join(p.folder, "data")
	p.args = []string{"-D", data, "-p", strconv.Itoa(c.ports.postgres), "-c", "listen_addresses=" + host, "-c", "unix_socket_directories="}
	if _, err := os.Stat(data); err == nil {
		return nil
	}
	return c.initPostgres(ctx, p, programs["initdb"], data)
}

func (c *Cluster) initPostgres(ctx context.Context, p *Part, initdb, data string) error {
	password := filepath.Join(p.folder, "password")
	if err := p.account.WritePrivate(password, c.secrets.Password); err != nil {
		return err
	}
	create := p.account.Command(ctx, p.folder, initdb, "-D", data, "-U", "fanfare", "-A", "scram-sha-256",
		"--pwfile="+password, "-E", "UTF8", "--locale=C")
	if said, err := create.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, said)
	}
	return os.Remove(password)
}

func (c *Cluster) postgresURL() string {
	return fmt.Sprintf("postgres://fanfare:%s@%s/postgres?sslmode=disable", c.secrets.Password, at(c.ports.postgres))
}

func (c *Cluster) addRedis(context.Context) error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("redis-server is not installed: %w", err)
	}
	p := &Part{
		Name: "redis", Serve: at(c.ports.redis), path: path, signal: syscall.SIGTERM,
		ready: func(ctx context.Context) error { return dial(ctx, c.ports.redis) },
	}
	p.args = []string{"--bind", host, "--port", strconv.Itoa(c.ports.redis), "--save", "", "--appendonly", "no"}
	return c.add(p)
}

// addNATS adds the servers of one NATS cluster. Their routes name all of them.
func (c *Cluster) addNATS(context.Context) error {
	routes := make([]string, Size)
	for i, p := range c.ports.nats {
		routes[i] = "nats://" + at(p.cluster)
	}
	for i, ports := range c.ports.nats {
		p := &Part{
			Name: fmt.Sprintf("%s-%d", natsName, i+1), Serve: at(ports.client), path: c.cfg.NATS, signal: syscall.SIGTERM,
			// Ready is the server with JetStream, which needs a majority.
			ready: func(ctx context.Context) error { return probe(ctx, "http://"+at(ports.monitor)+"/healthz") },
		}
		if err := c.add(p); err != nil {
			return err
		}
		p.args = []string{
			"--name", p.Name, "--addr", host, "--port", strconv.Itoa(ports.client), "--http_port", strconv.Itoa(ports.monitor),
			"--cluster_name", "fanfare", "--cluster", "nats://" + at(ports.cluster), "--routes", strings.Join(routes, ","),
			"--jetstream", "--store_dir", filepath.Join(p.folder, "store"),
		}
	}
	return nil
}

// addNodes adds the nodes, which share everything but their addresses.
func (c *Cluster) addNodes(ctx context.Context) error {
	for i := range c.ports.nodes {
		err := c.addNode(ctx, i,
			"FANFARE_NATS_URL="+c.NATSURL(),
			"FANFARE_POSTGRES_URL="+c.postgresURL(),
			"FANFARE_REDIS_URL=redis://"+at(c.ports.redis)+"/0",
			"FANFARE_MASTER_KEY="+c.secrets.MasterKey,
			"FANFARE_PROXY_FROM="+balancer)
		if err != nil {
			return err
		}
	}
	return nil
}

// addSingle adds one node that has all it needs in its folder.
func (c *Cluster) addSingle(ctx context.Context) error { return c.addNode(ctx, 0) }

// addNode adds the node of an index with settings beside its addresses.
func (c *Cluster) addNode(_ context.Context, index int, settings ...string) error {
	ports := c.ports.nodes[index]
	name := fmt.Sprintf("%s-%d", nodeName, index+1)
	p := &Part{
		Name: name, Serve: "mqtt " + at(ports.mqtt) + ", http " + at(ports.http), path: c.cfg.Fanfare, args: []string{"serve"},
		signal: syscall.SIGTERM,
		ready:  func(ctx context.Context) error { return probe(ctx, "http://"+at(ports.metrics)+"/readyz") },
	}
	if err := c.add(p); err != nil {
		return err
	}
	p.env = append([]string{
		"FANFARE_NODE=" + name,
		"FANFARE_DATA=" + filepath.Join(p.folder, "data"),
		"FANFARE_HTTP_ADDR=" + at(ports.http),
		"FANFARE_MQTT_ADDR=" + at(ports.mqtt),
		"FANFARE_WS_ADDR=" + at(ports.ws),
		"FANFARE_METRICS_ADDR=" + at(ports.metrics),
	}, append(settings, c.cfg.Env...)...)
	return nil
}

// addHAProxy adds the load balancer, with the file that the containers use.
func (c *Cluster) addHAProxy(context.Context) error {
	if c.cfg.HAProxy == "" {
		return nil
	}
	path, err := exec.LookPath("haproxy")
	if err != nil {
		path = "/usr/sbin/haproxy" // which is not in everybody's PATH
		if _, missing := os.Stat(path); missing != nil {
			return fmt.Errorf("haproxy is not installed: %w", err)
		}
	}
	front := c.ports.front
	p := &Part{
		Name: "haproxy", Serve: fmt.Sprintf("mqtt %s, ws %s, http %s, status http://%s", at(front.mqtt), at(front.ws), at(front.http), at(front.metrics)),
		path: path, args: []string{"-db", "-f", c.cfg.HAProxy}, signal: syscall.SIGTERM,
		ready: func(ctx context.Context) error { return probe(ctx, "http://"+at(front.metrics)+"/") },
	}
	p.env = []string{
		"BIND=" + host, "SOURCE=" + balancer, fmt.Sprintf("MAXCONN=%d", maxConnections),
		fmt.Sprintf("MQTT_PORT=%d", front.mqtt), fmt.Sprintf("WS_PORT=%d", front.ws),
		fmt.Sprintf("HTTP_PORT=%d", front.http), fmt.Sprintf("STATUS_PORT=%d", front.metrics),
	}
	for i, node := range c.ports.nodes {
		p.env = append(p.env, fmt.Sprintf("NODE%d_MQTT=%s", i+1, at(node.mqtt)), fmt.Sprintf("NODE%d_WS=%s", i+1, at(node.ws)),
			fmt.Sprintf("NODE%d_HTTP=%s", i+1, at(node.http)), fmt.Sprintf("NODE%d_HOST=%s", i+1, host), fmt.Sprintf("NODE%d_METRICS=%d", i+1, node.metrics))
	}
	return c.add(p)
}
