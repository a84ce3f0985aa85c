package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

type appCmd struct {
	Create appCreateCmd `cmd:"" help:"Create an app and show its credentials, once."`
	List   appListCmd   `cmd:"" help:"List the organization's apps."`
}

// account is what the commands for members need.
type account struct {
	config.Endpoint
	config.Management
}

func (a account) client() (*client.Client, error) {
	if err := config.Validate(a.Endpoint, a.Management); err != nil {
		return nil, err
	}
	if a.Token == "" {
		return nil, usageError{errors.New("no management token; set FANFARE_TOKEN (fanfare login prints it)")}
	}
	return client.New(a.URL, a.Token), nil
}

type appCreateCmd struct {
	account
	ID   string `arg:"" help:"Slug of the app, unique in the organization."`
	Name string `help:"Name for people; the slug by default."`
}

// Run creates the app.
func (c *appCreateCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if c.Name == "" {
		c.Name = c.ID
	}
	answer, err := api.CreateApp(ctx, spec.NewApp{ID: c.ID, Name: c.Name})
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	app := answer.Value
	t.say("App %s is ready; its topics begin with %s/.", app.ID, app.TopicPrefix)
	t.say("These secrets are shown this once:")
	t.say("  API key      %s", app.APIKey.Secret)
	t.say("  signing key  %s  %s  kid %s", app.SigningKey.Secret, app.SigningKey.Alg, app.SigningKey.Kid)
	devices := deviceURLs(app.Endpoints)
	if len(devices) > 0 {
		t.say("Clients connect to:\n  %s", strings.Join(devices, "  "))
	}
	t.say("\nNext:")
	t.export(apiURL, cmp.Or(app.Endpoints.API, c.URL))
	if len(devices) > 0 {
		t.export(mqttURL, devices[0])
	}
	t.say("  export FANFARE_APP=%s FANFARE_API_KEY=%s", app.ID, app.APIKey.Secret)
	t.say("  export FANFARE_DEVICE_TOKEN=$(%s token ana)", t.program)
	t.say("  %s sub -u %s &", t.program, app.TopicPrefix)
	t.say("  %s push --user ana 'Hello' 'It works.'", t.program)
	return nil
}

// deviceURLs are the addresses for devices that there are, the first one being
// that for a first try.
func deviceURLs(e spec.Endpoints) []string {
	var urls []string
	for _, u := range []*string{e.MQTT, e.MQTTS, e.WS, e.WSS} {
		if u != nil && *u != "" {
			urls = append(urls, *u)
		}
	}
	return urls
}

type appListCmd struct {
	account
}

// Run lists all apps, page by page.
func (c *appListCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	apps := []spec.App{}
	for cursor, more := "", true; more; more = cursor != "" {
		page, err := api.Apps(ctx, cursor)
		if err != nil {
			return err
		}
		apps = append(apps, page.Items...)
		cursor = ""
		if page.NextCursor != nil {
			cursor = *page.NextCursor
		}
	}
	if c.JSON {
		raw, err := json.Marshal(apps)
		return t.answer(raw, err)
	}
	return t.apps(apps)
}

func (t *terminal) apps(apps []spec.App) error {
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "APP\tNAME\tTOPICS")
	for _, app := range apps {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s/#\n", app.ID, app.Name, app.TopicPrefix)
	}
	return table.Flush()
}
