//go:build unix

package cli_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// natsProcess is a NATS server that can be stopped like any process.
type natsProcess struct {
	t       *testing.T
	url     string
	process *os.Process
}

func startNATSProcess(t *testing.T) *natsProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), natsFolder+"="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := &natsProcess{t: t, process: cmd.Process}
	t.Cleanup(func() {
		n.signal(syscall.SIGCONT)
		n.signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("NATS ended: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("NATS does not start: %v", err)
	}
	n.url = strings.TrimSpace(line)
	return n
}

func (n *natsProcess) signal(s os.Signal) {
	n.t.Helper()
	if err := n.process.Signal(s); err != nil {
		n.t.Error(err)
	}
}

// flood is a device that publishes with QoS 1 as fast as the server reads, as
// many at once as a client may.
type flood struct {
	conn   net.Conn
	topic  string
	slots  chan uint16 // packet identifiers that are free
	sent   atomic.Int64
	broken atomic.Bool

	mu    sync.Mutex
	out   map[uint16]string // not acknowledged
	acked []string
}

// floodWindow is below the 1,024 that a client may have under way.
const (
	floodWindow  = 1000
	floodPayload = 4096
)

func (p party) flood(t *testing.T, user string) *flood {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.places["MQTT"], "mqtt://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	f := &flood{conn: conn, topic: p.app.TopicPrefix + "/flood/" + user, slots: make(chan uint16, floodWindow), out: map[uint16]string{}}
	for id := range uint16(floodWindow) {
		f.slots <- id + 1
	}
	hello := packet.Connect{
		Clean: true, ClientID: "flood-" + user, HasUsername: true, Username: p.app.TopicPrefix,
		HasPassword: true, Password: []byte(p.token(t, user)),
	}
	if _, err := conn.Write(hello.Append(nil)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(conn, answer); err != nil || !bytes.Equal(answer, []byte{0x20, 2, 0, 0}) {
		t.Fatalf("CONNACK %x, %v", answer, err)
	}
	return f
}

// write publishes until stop is closed.
func (f *flood) write(stop <-chan struct{}) {
	padding := strings.Repeat("x", floodPayload)
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case id := <-f.slots:
			name := fmt.Sprintf("%s %d ", f.topic, n)
			f.mu.Lock()
			f.out[id] = name
			f.mu.Unlock()
			m := packet.Publish{QoS: 1, PacketID: id, Topic: []byte(f.topic), Payload: []byte(name + padding)}
			if _, err := f.conn.Write(m.Append(nil)); err != nil {
				f.broken.Store(true)
				return
			}
			f.sent.Add(1)
		}
	}
}

// read takes PUBACKs until the connection ends.
func (f *flood) read() {
	r := bufio.NewReader(f.conn)
	for {
		ack := make([]byte, 4)
		if _, err := io.ReadFull(r, ack); err != nil || ack[0] != 0x40 {
			f.broken.Store(true)
			return
		}
		id := uint16(ack[2])<<8 | uint16(ack[3])
		f.mu.Lock()
		f.acked = append(f.acked, f.out[id])
		delete(f.out, id)
		f.mu.Unlock()
		f.slots <- id
	}
}

func (f *flood) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.acked)
}

// floods are many of them.
type floods []*flood

func (all floods) count() (n int) {
	for _, f := range all {
		n += f.count()
	}
	return n
}

func (all floods) broken() (n int) {
	for _, f := range all {
		if f.broken.Load() {
			n++
		}
	}
	return n
}

// publishStatus publishes over HTTP.
func (p party) publishStatus(t *testing.T, text string) (status int, retryAfter string) {
	t.Helper()
	body := fmt.Sprintf(`{"topic":"acme/chat/flood/http","payload":%q}`, text)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.places["API"]+"/v1/apps/chat/publish", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	r.Header.Set("Authorization", "Bearer "+p.app.APIKey.Secret)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	_ = answer.Body.Close()
	return answer.StatusCode, answer.Header.Get("Retry-After")
}

func heapNow() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestStoppedNATSUnderLoad stops NATS as a process is stopped while 40 devices
// and 20 backends publish: nothing is acknowledged, backends hear 503, devices
// are read no more, connections stay and memory stays within what may wait; then
// it goes on, and what was acknowledged at any time arrives.
func TestStoppedNATSUnderLoad(t *testing.T) { // alone: it looks at the heap
	const devices, backends = 40, 20
	// 64 MiB of appends may wait, and 4 KiB of each device's next message; the
	// rest is what the log's and the clients' machinery around them takes.
	const bound = 160 << 20
	n := startNATSProcess(t)
	s := serve(t, serveArgs(t.TempDir(), "--nats-url", n.url, "--postgres-url", testenv.Postgres(t), "--master-key", masterKey(), "--log-level", "warn")...)
	acme := found(t, s, "acme")
	rules := spec.ACL{Rules: []spec.Rule{{
		Effect: "allow", Action: "all", Topic: "acme/chat/flood/#", Who: spec.Who{Everyone: client.Optional(spec.WhoEveryone(true))},
	}}}
	if _, err := s.api.With(acme.app.APIKey.Secret).SetACL(t.Context(), "chat", rules); err != nil {
		t.Fatal(err)
	}
	arrived := acme.listen(t)
	var all floods
	for i := range devices {
		all = append(all, acme.flood(t, fmt.Sprintf("u%d", i)))
	}
	stop := make(chan struct{})
	before := heapNow()
	var writing sync.WaitGroup
	for _, f := range all {
		go f.read()
		writing.Go(func() { f.write(stop) })
	}
	soon(t, "acknowledgements", func() bool { return all.count() > 5000 })

	n.signal(syscall.SIGSTOP)
	var asking sync.WaitGroup
	for i := range backends {
		asking.Go(func() {
			status, retry := acme.publishStatus(t, fmt.Sprint(i))
			if status != http.StatusServiceUnavailable || retry == "" {
				t.Errorf("HTTP %d, Retry-After %q", status, retry)
			}
		})
	}
	asking.Wait()
	stalled := all.count()
	if grown := heapNow() - before; grown > bound {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
	status, _ := acme.publishStatus(t, "still")
	if after := all.count(); status != http.StatusServiceUnavailable || after != stalled || all.broken() != 0 {
		t.Errorf("HTTP %d; %d acknowledged, then %d; %d connections lost", status, stalled, after, all.broken())
	}

	n.signal(syscall.SIGCONT)
	soon(t, "it goes on", func() bool { return all.count() > stalled+devices*100 })
	close(stop)
	writing.Wait()
	soon(t, "all acknowledged", func() bool {
		for _, f := range all {
			if int64(f.count()) != f.sent.Load() {
				return false
			}
		}
		return true
	})
	if all.broken() != 0 {
		t.Errorf("%d connections lost", all.broken())
	}
	soon(t, "over HTTP too", func() bool {
		status, _ := acme.publishStatus(t, "again")
		return status == http.StatusAccepted
	})
	soon(t, "all arrived", func() bool {
		for _, f := range all {
			if !arrived.all(f) {
				return false
			}
		}
		return true
	})
}

// heard is what a subscriber got of the floods.
type heard struct {
	mu    sync.Mutex
	names map[string]bool
}

// listen subscribes to all floods.
func (p party) listen(t *testing.T) *heard {
	t.Helper()
	h := &heard{names: map[string]bool{}}
	s := p.stock(t, "listener", true)
	s.done(s.Subscribe("acme/chat/flood/+", 1, nil))
	go func() {
		for m := range s.arrived {
			name, _, _ := strings.Cut(string(m.Payload()), "x")
			h.mu.Lock()
			h.names[name] = true
			h.mu.Unlock()
		}
	}()
	return h
}

// all says that everything of f that was acknowledged has arrived.
func (h *heard) all(f *flood) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range f.acked {
		if !h.names[name] {
			return false
		}
	}
	return true
}

// soon waits until cond holds, twice as long as for anything else.
func soon(t *testing.T, what string, cond func() bool) {
	t.Helper()
	testenv.Eventually(t, 2*patience, what, cond)
}
