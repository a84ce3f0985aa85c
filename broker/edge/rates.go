package edge

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/meter"
)

// party is what a session asks of a connection: what the client may do, and what
// its app has left.
type party struct{ conn *conn }

var (
	_ session.Authorizer = party{}
	_ session.Budget     = party{}
)

// superParty is the party of a super-client.
type superParty struct{ party }

var _ session.Above = superParty{}

// AboveWall implements session.Above.
func (superParty) AboveWall() {}

// party is what the connection's session asks.
func (c *conn) party() session.Authorizer {
	if c.above != nil {
		return superParty{party{c}}
	}
	return party{c}
}

// MayPublish implements session.Authorizer.
func (p party) MayPublish(topic string) bool { return p.conn.authorizer().MayPublish(topic) }

// MaySubscribe implements session.Authorizer.
func (p party) MaySubscribe(filter string) bool { return p.conn.authorizer().MaySubscribe(filter) }

// Bounds implements session.Budget.
func (p party) Bounds() session.Bounds { return p.conn.purse.account.bounds().said }

// Spend implements session.Budget.
func (p party) Spend(bytes int, now time.Time) bool {
	a := p.conn.purse.account
	b := a.bounds()
	if !b.metered {
		return true
	}
	ofMessages, ofBytes := a.messageRates(b), a.byteRates(b)
	if ok, _ := meter.TakeAll(1, now, ofMessages[:]...); !ok {
		return false
	}
	if ok, _ := meter.TakeAll(int64(bytes), now, ofBytes[:]...); !ok {
		for _, l := range ofMessages {
			l.Rate.Give(1, l.PerSecond)
		}
		return false
	}
	return true
}

// Credit implements session.Budget.
func (p party) Credit(now time.Time) uint32 { return p.conn.purse.left(now) }

// owe counts a message that was taken anyway, and returns how long its publisher
// has to pause so that the app stays within its rates.
func (a *account) owe(bytes int, now time.Time) time.Duration {
	b := a.bounds()
	if !b.metered {
		return 0
	}
	ofMessages, ofBytes := a.messageRates(b), a.byteRates(b)
	wait := meter.DebitAll(1, now, ofMessages[:]...)
	return min(max(wait, meter.DebitAll(int64(bytes), now, ofBytes[:]...)), maxPause)
}

// maxPause keeps a client that is far over its app's limit from being silent
// for so long that it gives the connection up.
const maxPause = 15 * time.Second

func (a *account) messageRates(b *bounds) [2]meter.Limit {
	return [2]meter.Limit{
		{Rate: a.messages, PerSecond: b.app.PublishRate},
		{Rate: a.org.messages, PerSecond: b.org.PublishRate},
	}
}

func (a *account) byteRates(b *bounds) [2]meter.Limit {
	return [2]meter.Limit{
		{Rate: a.bytes, PerSecond: b.app.PublishBytes},
		{Rate: a.org.bytes, PerSecond: b.org.PublishBytes},
	}
}
