// Command list writes docs/conformance.md: every normative statement of MQTT
// 3.1.1 and 5.0 with the tests that show it.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/fanfare-mq/fanfare/internal/conformance/clauses"
)

func main() {
	root := flag.String("root", ".", "the repository")
	flag.Parse()
	if err := write(*root); err != nil {
		fmt.Fprintln(os.Stderr, "list:", err)
		os.Exit(1)
	}
}

func write(root string) error {
	statements, err := clauses.All()
	if err != nil {
		return err
	}
	found, err := clauses.Find(os.DirFS(root), statements)
	if err != nil {
		return err
	}
	paper := clauses.Paper(statements, found)
	if err := os.WriteFile(root+"/docs/conformance.md", []byte(paper), 0o644); err != nil { //nolint:gosec // documentation is for everyone
		return fmt.Errorf("write the list: %w", err)
	}
	return nil
}
