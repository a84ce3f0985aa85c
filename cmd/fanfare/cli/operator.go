package cli

import (
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

// operator is what the operator's commands need: the installation's master key.
type operator struct {
	config.Endpoint
	config.Installation
}

// client calls the API as the operator. Its credential is made for one call.
func (o operator) client() (*client.Client, error) {
	if err := config.Validate(o.Endpoint, o.Installation); err != nil {
		return nil, err
	}
	master, err := o.Key()
	if err != nil {
		return nil, err
	}
	key, err := auth.NewOperatorKey(master)
	if err != nil {
		return nil, err
	}
	return client.NewSigned(o.URL, func() string { return key.Token(time.Now()) }), nil
}
