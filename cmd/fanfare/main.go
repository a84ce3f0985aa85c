// Command fanfare is the whole of Fanfare: server, demo and command-line client.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(cli.Run(ctx, cli.Process{
		Name: os.Args[0], Args: os.Args[1:], Environ: os.Environ(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}
