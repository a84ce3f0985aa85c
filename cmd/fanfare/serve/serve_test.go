package serve_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/serve"
)

// TestEveryPartHasTimeToStop: a part whose slice does not fit would be given up
// before it has begun.
func TestEveryPartHasTimeToStop(t *testing.T) {
	if sum, most := serve.Slices(); sum > most {
		t.Errorf("the parts are kept %s of %s", sum, most)
	}
}
