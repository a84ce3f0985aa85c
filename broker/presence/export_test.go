package presence

import "time"

// Hurry shortens how long b waits for other nodes' answers.
func (b *Broadcast) Hurry(patience time.Duration) { b.patience = patience }
