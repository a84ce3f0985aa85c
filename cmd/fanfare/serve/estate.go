package serve

import (
	"context"
	"strings"

	"github.com/fanfare-mq/fanfare/broker/estate"
	"github.com/fanfare-mq/fanfare/fault"
)

// openEstate looks after what dead nodes leave, whatever this one's roles are.
func (p *process) openEstate(context.Context) (closer, error) {
	e, err := estate.New(estate.Config{Logger: p.log, Silent: p.silent}, p.bus, p.claims)
	if err != nil {
		return nil, err
	}
	p.estate = e
	return p.background("wills of dead nodes", e.Run), nil
}

// silent says whether nothing more is to be published in the name of a session.
// While the database is away, those whose apps are not known may speak.
func (p *process) silent(key string) bool {
	org, rest, _ := strings.Cut(key, "/")
	app, _, _ := strings.Cut(rest, "/")
	ctx, cancel := context.WithTimeout(context.Background(), retainedPatience)
	defer cancel()
	known, err := p.directory.App(ctx, org, app)
	if err != nil {
		return fault.CodeOf(err) == fault.NotFound
	}
	return known.Entry().Suspended
}
