// Package cli is the command line of Fanfare: one binary, its commands, their
// output and exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the command was understood and did not succeed
	exitUsage  = 2 // the command or a setting is wrong: nothing was begun
)

// Process is what a command gets from the operating system.
type Process struct {
	Name           string   // of the program, as it was called; empty is fanfare
	Args           []string // without the name
	Environ        []string // as os.Environ
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Grace is serve.Options', for tests, which cannot wait for so long.
	Grace time.Duration
}

// grammar is every command there is.
type grammar struct {
	Serve    serveCmd      `cmd:"" help:"Run the server."`
	Demo     demoCmd       `cmd:"" help:"Watch a device receive a push, step by step, on a server of its own."`
	Signup   signupCmd     `cmd:"" help:"Create an organization and its first member."`
	Login    loginCmd      `cmd:"" help:"Sign in and print a token."`
	Logout   logoutCmd     `cmd:"" help:"End the session of the token."`
	Password passwordCmd   `cmd:"" help:"Change your password."`
	Join     joinCmd       `cmd:"" help:"Accept an invitation."`
	Member   memberCmd     `cmd:"" help:"Manage who manages the organization."`
	App      appCmd        `cmd:"" help:"Create and list apps."`
	Key      keyCmd        `cmd:"" help:"List, create, rotate and delete an app's API keys."`
	Signing  signingKeyCmd `cmd:"" name:"signing-key" help:"List, create, rotate and delete the keys of an app's device tokens."`
	Org      orgCmd        `cmd:"" help:"Operate organizations: for whoever has the master key."`
	Token    tokenCmd      `cmd:"" help:"Issue a device token."`
	Push     pushCmd       `cmd:"" help:"Push a notification."`
	Sub      subCmd        `cmd:"" help:"Connect as a device and print what arrives."`
	Bench    benchCmd      `cmd:"" help:"Measure this server beside mosquitto."`
	Version  versionCmd    `cmd:"" help:"Print the version."`
}

// usageError is a command line that cannot be meant.
type usageError struct{ error }

// Run runs one command until it ends or ctx does, and returns the exit code.
func Run(ctx context.Context, p Process) int {
	env := config.ParseEnviron(p.Environ)
	parsed, helped, err := parse(p, env)
	if helped {
		return exitOK
	}
	if err == nil {
		t := newTerminal(p, env)
		parsed.BindTo(ctx, (*context.Context)(nil))
		err = parsed.Run(t)
	}
	return report(p.Stderr, err)
}

// report prints an error in one line (and one more for each wrong field of a
// request) and returns the exit code that goes with it.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintln(stderr, "fanfare: "+oneLine(err))
	var usage usageError
	var setting *config.Error
	if errors.As(err, &usage) || errors.As(err, &setting) {
		return exitUsage
	}
	return exitFailed
}

// oneLine is an error's text. Some libraries write theirs in several lines;
// only the API's answer is meant to be, a line for each wrong field.
func oneLine(err error) string {
	if _, ok := errors.AsType[*client.Error](err); ok {
		return err.Error()
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

// parse reads flags and environment; helped says that --help was answered.
func parse(p Process, env config.Environ) (parsed *kong.Context, helped bool, err error) {
	k, err := kong.New(&grammar{},
		kong.Name("fanfare"),
		kong.Description("Push to millions of devices over MQTT. Try: fanfare demo"),
		kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ValueFormatter(helpOf),
		kong.PostBuild(func(k *kong.Kong) error { return kong.Visit(k.Model, placeholders) }),
		kong.Resolvers(fromEnvironment(env)),
	)
	if err != nil {
		return nil, false, err
	}
	parsed, err = k.Parse(p.Args)
	if helped {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, usageError{fmt.Errorf("%s; see: %s --help", err.Error(), commandOf(err))}
	}
	if parsed.Command() == "version" {
		return parsed, false, nil
	}
	return parsed, false, env.CheckNames()
}

// commandOf returns the command as far as it was understood.
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		return parse.Context.Selected().FullPath()
	}
	return "fanfare"
}

// fromEnvironment gives a flag the value of the variable that its tag names.
func fromEnvironment(env config.Environ) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if value, ok := env[flag.Tag.Get("var")]; ok && flag.Tag.Has("var") {
			return value, nil
		}
		return nil, nil //nolint:nilnil // kong's way to say: not set here
	})
}

// placeholders names the kind of a setting's value where help has no default
// to show.
func placeholders(node kong.Visitable, next kong.Next) error {
	if flag, ok := node.(*kong.Flag); ok && flag.Tag.Has("kind") && flag.Default == "" {
		flag.PlaceHolder = strings.ToUpper(flag.Tag.Get("kind"))
	}
	return next(nil)
}

// helpOf adds the variable and the meaning of an empty value to a flag's help.
func helpOf(v *kong.Value) string {
	help := v.Help
	if v.Tag.Has("var") {
		help = strings.TrimSuffix(help, ".") + " ($" + v.Tag.Get("var") + ")."
	}
	if empty := v.Tag.Get("empty"); empty != "" {
		help += " Empty: " + empty + "."
	}
	return help
}
