package demo

import (
	"fmt"
	"io"
)

// ANSI colours.
const (
	bold  = "\x1b[1;36m"
	green = "\x1b[32m"
	red   = "\x1b[1;31m"
	dim   = "\x1b[2m"
	reset = "\x1b[0m"
)

// paper is where the demo is told, in colour or in plain words.
type paper struct {
	w      io.Writer
	colour bool
}

func (p *paper) title(format string, args ...any) {
	p.line("\n", bold, fmt.Sprintf(format, args...))
}

func (p *paper) detail(format string, args ...any) {
	p.line("     ", dim, fmt.Sprintf(format, args...))
}

func (p *paper) seen(format string, args ...any) {
	p.line("  ok ", green, fmt.Sprintf(format, args...))
}

func (p *paper) failed(err error) { p.line("  FAILED ", red, err.Error()) }

// plain prints text that people copy.
func (p *paper) plain(format string, args ...any) { _, _ = fmt.Fprintf(p.w, format+"\n", args...) }

func (p *paper) line(mark, colour, text string) {
	if p.colour {
		_, _ = fmt.Fprintln(p.w, mark+colour+text+reset)
		return
	}
	_, _ = fmt.Fprintln(p.w, mark+text)
}
