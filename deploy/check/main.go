// Command check reads the files that containers are made from, as no container
// engine is needed to find their mistakes: docker-compose.yml against the
// Compose specification, and Dockerfiles by BuildKit's parser.
//
//	check COMPOSE-FILE DOCKERFILE...
//
// It is a module of its own so that the product does not depend on what only
// this needs.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: check COMPOSE-FILE DOCKERFILE...")
		os.Exit(2)
	}
	err := checkCompose(context.Background(), os.Args[1])
	for _, path := range os.Args[2:] {
		err = errors.Join(err, checkDockerfile(path))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		os.Exit(1)
	}
}

// checkCompose loads the file with its schema, and sees that the files that it
// names are there.
func checkCompose(ctx context.Context, path string) error {
	options, err := cli.NewProjectOptions([]string{path},
		cli.WithEnv([]string{"FANFARE_MASTER_KEY=" + "c2VjcmV0"}), cli.WithName("fanfare"))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var errs []error
	for _, service := range project.Services {
		if b := service.Build; b != nil {
			errs = append(errs, exists(filepath.Join(b.Context, b.Dockerfile)))
		}
		for _, v := range service.Volumes {
			if v.Type == "bind" {
				errs = append(errs, exists(v.Source))
			}
		}
	}
	return errors.Join(errs...)
}

func exists(path string) error {
	_, err := os.Stat(path)
	return err
}

// checkDockerfile parses the file and fails on what BuildKit warns of.
func checkDockerfile(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var warned []error
	warn := func(rule, _, _, message string, at []parser.Range) {
		line := 0
		if len(at) > 0 {
			line = at[0].Start.Line
		}
		warned = append(warned, fmt.Errorf("%s:%d: %s: %s", path, line, rule, message))
	}
	if _, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{Warn: warn})); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return errors.Join(warned...)
}
