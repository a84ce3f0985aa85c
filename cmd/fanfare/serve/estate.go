package serve

import (
	"context"

	"github.com/fanfare-mq/fanfare/broker/estate"
)

// openEstate looks after what dead nodes leave, whatever this one's roles are.
func (p *process) openEstate(context.Context) (closer, error) {
	e, err := estate.New(estate.Config{Logger: p.log}, p.bus, p.claims)
	if err != nil {
		return nil, err
	}
	p.estate = e
	return p.background("wills of dead nodes", e.Run), nil
}
