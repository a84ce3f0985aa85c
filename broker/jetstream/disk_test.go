//go:build linux

package jetstream_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// TestSmallDisk fills a file system of 1 MiB and empties it again.
func TestSmallDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("only who may mount has a small disk: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	room := jetstream.NewDisk(dir, 256<<10)
	if !room() {
		t.Error("an empty disk has no room")
	}
	path := filepath.Join(dir, "large")
	if err := os.WriteFile(path, make([]byte, 900<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if room() {
		t.Error("a full disk has room")
	}
}
