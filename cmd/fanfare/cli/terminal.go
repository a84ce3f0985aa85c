package cli

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

// terminal is where a command reads and writes, and what it knows of it.
type terminal struct {
	stdin          io.Reader
	lines          *bufio.Reader // of stdin, where it is a pipe
	stdout, stderr io.Writer
	env            config.Environ
	program        string // as a shell calls it again
	colour         bool   // standard output shows colours
	interactive    bool   // a person reads standard output
	grace          time.Duration
}

func newTerminal(p Process, env config.Environ) *terminal {
	t := &terminal{
		stdin: p.Stdin, lines: bufio.NewReader(p.Stdin), stdout: p.Stdout, stderr: p.Stderr, env: env,
		program: quoted(cmp.Or(p.Name, "fanfare")), grace: p.Grace,
	}
	t.interactive = isTerminal(p.Stdout)
	// no-color.org: any value that is not empty means no.
	t.colour = t.interactive && env["NO_COLOR"] == "" && env["TERM"] != "dumb"
	return t
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// say prints one line for people.
func (t *terminal) say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.stdout, format+"\n", args...)
}

// ask puts a question on standard error and reads a line.
func (t *terminal) ask(format string, args ...any) (string, error) {
	_, _ = fmt.Fprintf(t.stderr, format, args...)
	line, err := t.lines.ReadString('\n')
	if line == "" && err != nil {
		return "", usageError{errors.New("nobody answers; give --yes, or the answer as a line on standard input")}
	}
	return strings.TrimSpace(line), nil
}

// password asks for a password without showing it, or reads one line from a
// pipe.
func (t *terminal) password(prompt string) (string, error) {
	if !isTerminal(t.stdin) {
		line, _ := t.lines.ReadString('\n') // what could not be read is not a password
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", usageError{errors.New("give --password, or the password as a line on standard input")}
		}
		return line, nil
	}
	f := t.stdin.(*os.File) //nolint:errcheck // isTerminal has looked
	_, _ = fmt.Fprint(t.stderr, prompt)
	secret, err := term.ReadPassword(int(f.Fd()))
	_, _ = fmt.Fprintln(t.stderr)
	return string(secret), err
}

// answer prints an answer of the API as it came, unless there is an error.
func (t *terminal) answer(raw json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(t.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(raw)
}
