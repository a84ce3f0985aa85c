package main_test

import (
	"os"
	"testing"

	docs "github.com/fanfare-mq/fanfare/cmd/fanfare/config/docs"
)

func TestPageIsFresh(t *testing.T) {
	t.Parallel()
	want, err := docs.Render("../settings.go")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/configuration.md is not what the settings say; run: go generate ./cmd/fanfare/config")
	}
}
