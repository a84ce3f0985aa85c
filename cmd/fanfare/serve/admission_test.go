package serve_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/serve"
)

func TestConnectionsForOpenFiles(t *testing.T) {
	t.Parallel()
	for files, want := range map[int]int{0: 0, -1: 0, 10: 1, 1024: 960, 4096: 3840, 20_000: 19_488, 1 << 20: 1<<20 - 512} {
		if got := serve.ConnectionsFor(files); got != want {
			t.Errorf("%d files: %d connections, want %d", files, got, want)
		}
	}
}

func TestOpenFilesAreRaised(t *testing.T) {
	t.Parallel()
	first := serve.OpenFiles()
	if again := serve.OpenFiles(); again != first {
		t.Errorf("%d, then %d", first, again)
	}
}
