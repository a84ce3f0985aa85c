// Command ctl runs a Fanfare cluster on this machine (ctl up) and, from
// another terminal, kills, stops and starts its parts (ctl kill nats-2).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"

	"github.com/fanfare-mq/fanfare/internal/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "ctl:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("ctl", flag.ContinueOnError)
	dir := flags.String("dir", filepath.Join(os.TempDir(), "fanfare-cluster"), "folder of what the parts write")
	fresh := flags.Bool("fresh", false, "up: begin with an empty folder")
	flags.Usage = func() { usage(flags) }
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	switch rest := flags.Args(); {
	case len(rest) == 1 && rest[0] == "up":
		return up(ctx, *dir, *fresh, out)
	case len(rest) == 1 && rest[0] == "status":
		all, err := cluster.Dial(*dir).Status(ctx)
		if err != nil {
			return err
		}
		return list(out, all)
	case len(rest) == 2 && known(rest[0]):
		return cluster.Dial(*dir).Do(ctx, rest[0], rest[1])
	default:
		flags.Usage()
		return flag.ErrHelp
	}
}

func known(verb string) bool {
	return slices.ContainsFunc(cluster.Verbs, func(v struct{ Name, Meaning string }) bool { return v.Name == verb })
}

func usage(flags *flag.FlagSet) {
	w := flags.Output()
	fmt.Fprintln(w, "ctl up              run the cluster until Ctrl-C")
	fmt.Fprintln(w, "ctl status          list its parts")
	for _, v := range cluster.Verbs {
		fmt.Fprintf(w, "ctl %-15s %s\n", v.Name+" PART", v.Meaning)
	}
	fmt.Fprintln(w, "PART is a name such as nats-2, or a kind: nats, fanfare.")
	flags.PrintDefaults()
}

// up runs the cluster until ctx ends. The programs are where make puts them.
func up(ctx context.Context, dir string, fresh bool, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if fresh {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	bin := filepath.Dir(self)
	c, err := cluster.New(ctx, cluster.Config{
		Fanfare: filepath.Join(bin, "fanfare"), NATS: filepath.Join(bin, "nats-server"),
		HAProxy: filepath.Join(bin, "..", "deploy", "haproxy.cfg"), Dir: dir,
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "starting in", dir)
	if err := c.Start(ctx); err != nil {
		return err
	}
	if err := list(out, c.Status()); err != nil {
		return err
	}
	fmt.Fprintln(out, "ready. Ctrl-C ends it; in another terminal: make ctl ARGS='kill fanfare-1'")
	return errors.Join(c.ServeControl(ctx), c.Stop())
}

func list(out io.Writer, all []cluster.Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.State, s.Serve)
	}
	return w.Flush()
}
