package cli_test

import (
	"fmt"
	"os"
	"os/signal"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// natsFolder names the store of a NATS server that this program is to be,
// instead of tests: a process of its own can be stopped by signals.
const natsFolder = "FANFARE_TEST_NATS_FOLDER"

func TestMain(m *testing.M) {
	if folder := os.Getenv(natsFolder); folder != "" {
		beNATS(folder)
		return
	}
	m.Run()
}

// beNATS serves until it is interrupted. It prints its URL, or nothing when it
// does not start.
func beNATS(folder string) {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	s, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: folder, NoSigs: true,
	})
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return
	}
	s.Start()
	if s.ReadyForConnections(patience) {
		_, _ = fmt.Fprintln(os.Stdout, s.ClientURL())
		<-interrupted
	}
	s.Shutdown()
	s.WaitForShutdown()
}
