package jetstream

import (
	"context"
	"encoding/json"
	"math"
)

// CountSessions counts the records of an app, or of an organization if the app is
// empty. One that was removed, or has ended, counts until its marker is gone, a
// minute later. fn is called once, from any goroutine, and must not block.
func (b *Bus) CountSessions(org, app string, fn func(n int, err error)) {
	of := org
	if app != "" {
		of += "/" + app
	}
	subject := string(appendEncoded([]byte(bucketPrefix(sessionsBucket)), of)) + ".>"
	ok := b.scanners.offer(org, func(ctx context.Context, a *asker) {
		if a == nil {
			fn(0, errClosed)
			return
		}
		ctx, cancel := context.WithTimeout(ctx, askPatience)
		defer cancel()
		n, err := b.countSubjects(ctx, bucketStream(sessionsBucket), subject)
		if err != nil {
			err = unavailable(err)
		}
		fn(n, err)
	})
	if !ok {
		fn(0, b.refusal())
	}
}

// subjectsAnswer is what a stream says of its subjects.
type subjectsAnswer struct {
	Total int `json:"total"`
	State struct {
		Subjects map[string]uint64 `json:"subjects"`
	} `json:"state"`
	Error *struct {
		Description string `json:"description"`
	} `json:"error"`
}

// askSubjects asks for a page of a stream's subjects that match.
func (b *Bus) askSubjects(ctx context.Context, stream, filter string, offset int) (info subjectsAnswer, err error) {
	data, err := json.Marshal(map[string]any{"subjects_filter": filter, "offset": offset})
	if err != nil {
		return info, err
	}
	m, err := b.side.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+stream, data)
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(m.Data, &info); err != nil {
		return info, err
	}
	if info.Error != nil {
		return info, jetError(info.Error.Description)
	}
	return info, nil
}

// countSubjects counts a stream's subjects that match. It asks for a page behind
// all of them: the number is all it wants to hear.
func (b *Bus) countSubjects(ctx context.Context, stream, filter string) (int, error) {
	info, err := b.askSubjects(ctx, stream, filter, math.MaxInt32)
	return info.Total, err
}
