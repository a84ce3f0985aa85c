package session

import "slices"

// window holds the packet identifiers of QoS 1 messages on their way to the
// client, oldest first: with a window of 64, and acknowledgements that come
// nearly in order, a slice is smaller and faster than a map.
type window struct {
	ids  []uint16
	last uint16 // the identifier given out last
}

func (w *window) len() int { return len(w.ids) }

// open gives out an identifier: the next one, as reuse should be far apart,
// that is neither 0 nor in flight. [MQTT-2.3.1-1] [MQTT-2.3.1-4] It must not be
// called when all 65,535 are.
func (w *window) open() uint16 {
	for {
		w.last++
		if w.last != 0 && !slices.Contains(w.ids, w.last) {
			w.ids = append(w.ids, w.last)
			return w.last
		}
	}
}

// close frees an identifier and reports whether it was in
// flight.
func (w *window) close(id uint16) bool {
	i := slices.Index(w.ids, id)
	if i < 0 {
		return false
	}
	w.ids = slices.Delete(w.ids, i, i+1)
	return true
}

func (w *window) release() {
	if len(w.ids) == 0 {
		w.ids = nil
	}
}
