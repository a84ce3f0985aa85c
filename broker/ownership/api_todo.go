package ownership

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// Seat is one connection's place at a session key, from Connect on.
type Seat struct {
	// Conn is the driver's connection.
	Conn any
}

type place struct{}

type wakes struct{}

// Connect gives key to a new connection, conn: earlier ones are evicted. Enter
// or Refuse follows, unless Abandon comes first.
func (t *Table) Connect(key string, r Request, conn any, now time.Time) *Seat { panic("soon") }

// Claimed answers a Claim effect: the claim's number and the instance that held
// the key before, if there is one that lives; or err.
func (t *Table) Claimed(s *Seat, number uint64, former string, err error, now time.Time) { panic("soon") }

// Loaded answers a Load effect.
func (t *Table) Loaded(op Op, stored broker.Stored, err error, now time.Time) { panic("soon") }

// Saved answers a Save and a PutWill effect with the new revision.
func (t *Table) Saved(op Op, revision uint64, err error, now time.Time) { panic("soon") }

// Done answers an Ask, Erase, DropWill, RouseWill and SendWill effect.
func (t *Table) Done(op Op, err error, now time.Time) { panic("soon") }

// Persist writes the record of a session that was entered; a Persisted effect
// with token answers. One at a time for each seat.
func (t *Table) Persist(s *Seat, r *broker.Record, token uint32, now time.Time) { panic("soon") }

// Abandon says that a connection has ended which did not get its session. If
// the table has emitted Enter for it already, the driver has to call Close when
// it sees that, with what Unused makes of the record.
func (t *Table) Abandon(s *Seat, now time.Time) { panic("soon") }

// Unused is the record of an Enter that came too late, to be given to Close.
func Unused(r *broker.Record, now time.Time) *broker.Record { panic("soon") }

// Close says that a connection that had entered has ended.
func (t *Table) Close(s *Seat, end End, now time.Time) { panic("soon") }

// Settled says, after Close, that all that the connection has published is
// acknowledged or failed.
func (t *Table) Settled(s *Seat, now time.Time) { panic("soon") }

// Asked hears that another instance wants the session of key, with its claim's
// number. Whoever holds it is evicted, and Answer with ticket follows when the
// session is free: at once if nobody here has it.
func (t *Table) Asked(key string, ticket uint64, now time.Time) { panic("soon") }

// Heard hears that an instance holds key with epoch.
func (t *Table) Heard(instance, key string, epoch uint64, now time.Time) { panic("soon") }

// HeardAll hears what an instance holds. Keys of claims are not looked at.
func (t *Table) HeardAll(instance string, claims []Assertion, now time.Time) { panic("soon") }

// Deadline is when Tick has something to do; zero is never.
func (t *Table) Deadline() time.Time { panic("soon") }

// Tick does what is due at now.
func (t *Table) Tick(now time.Time) { panic("soon") }
