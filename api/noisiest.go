package api

import (
	"context"
	"slices"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/tally"
)

// ListNoisiest answers which organizations do the most in the cluster.
func (a *API) ListNoisiest(ctx context.Context, request spec.ListNoisiestRequestObject) (spec.ListNoisiestResponseObject, error) {
	most, by := defaultPage, tally.BytesIn
	if request.Params.Limit != nil {
		most = int(*request.Params.Limit)
	}
	if request.Params.By != nil {
		by = tally.Measure(slices.Index(tally.Names[:], string(*request.Params.By))) //nolint:gosec // openapi.yaml has no others
	}
	answer := spec.ListNoisiest200JSONResponse{Items: []spec.Noise{}}
	list, nodes := a.deps.Tally.Noisiest(by, most, a.now())
	for _, n := range list {
		answer.Items = append(answer.Items, noiseView(n))
	}
	answer.Nodes = int32(nodes) //nolint:gosec // a cluster has not so many
	return answer, nil
}

func noiseView(n tally.Noise) spec.Noise {
	return spec.Noise{
		Organization: n.Organization, Connections: n.Connections,
		MessagesIn: n.Rates[tally.MessagesIn], BytesIn: n.Rates[tally.BytesIn],
		MessagesOut: n.Rates[tally.MessagesOut], BytesOut: n.Rates[tally.BytesOut],
		Limited: n.Rates[tally.Limited], Requests: n.Rates[tally.Requests],
	}
}
