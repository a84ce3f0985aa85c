package war_test

import (
	"strings"
	"sync"
)

// owners know whose the identifiers are that the server has made.
type owners struct {
	mu  sync.Mutex // guards ids
	ids map[string]string
}

func newOwners() *owners { return &owners{ids: map[string]string{}} }

// maxIDs bounds what is remembered of a side.
const maxIDs = 10_000

// learn takes what a side was told for its own, unless it is somebody's.
func (o *owners) learn(s *side, text string) {
	for _, id := range idWord.FindAllString(text, -1) {
		if strings.HasPrefix(id, "req_") {
			continue
		}
		o.mu.Lock()
		_, known := o.ids[id]
		if !known && len(o.ids) < maxIDs {
			o.ids[id] = s.slug
		}
		o.mu.Unlock()
		if !known {
			s.mu.Lock()
			s.ids = append(s.ids, id)
			s.mu.Unlock()
		}
	}
}

// foreign is something in an answer that is another organization's and was not
// in the request.
func (o *owners) foreign(org, text, request string) string {
	for _, word := range slugWord.FindAllString(text, -1) {
		if word != org && (word == slugA || word == slugB || word == slugC) && !strings.Contains(request, word) {
			return word
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range idWord.FindAllString(text, -1) {
		if owner, known := o.ids[id]; known && owner != org && !strings.Contains(request, id) {
			return id
		}
	}
	return ""
}

// anyID is one of a side's identifiers.
func (s *side) anyID(random func(int) int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ids) == 0 {
		return ""
	}
	return s.ids[random(len(s.ids))]
}
