package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
)

type orgNoiseCmd struct {
	operator
	By    string `default:"bytes_in" enum:"bytes_in,bytes_out,messages_in,messages_out,limited,requests" help:"What to order them by: ${enum}."`
	Limit int    `default:"20" help:"The most organizations to list."`
}

// Run lists the noisiest organizations.
func (c *orgNoiseCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	answer, err := api.Noisiest(ctx, c.By, c.Limit)
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "ORGANIZATION\tCONNECTIONS\tMESSAGES IN/s\tBYTES IN/s\tMESSAGES OUT/s\tBYTES OUT/s\tLIMITED/s\tREQUESTS/s\t")
	for _, n := range answer.Value.Items {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%.1f\t%.0f\t%.1f\t%.0f\t%.1f\t%.1f\t\n",
			n.Organization, n.Connections, n.MessagesIn, n.BytesIn, n.MessagesOut, n.BytesOut, n.Limited, n.Requests)
	}
	return table.Flush()
}
