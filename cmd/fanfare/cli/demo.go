package cli

import (
	"context"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/demo"
)

type demoCmd struct {
	Exit bool `help:"End after the steps: exit code 0 only if everything was seen."`
}

// Run runs the demo.
func (c *demoCmd) Run(ctx context.Context, t *terminal) error {
	return demo.Run(ctx, demo.Options{
		Out: t.stdout, Colour: t.colour, Exit: c.Exit,
		Logger: newLogger(t.stderr, true, "warn"), Version: Version(),
	})
}
