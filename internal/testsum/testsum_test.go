package testsum_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/internal/testsum"
)

// report runs `go test -json` over a module with the given files.
func report(t *testing.T, files map[string]string) (testsum.Summary, string) {
	t.Helper()
	folder := t.TempDir()
	files["go.mod"] = "module example.com/m\n\ngo 1.26\n"
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "-timeout=2s", "./...")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	output, _ := cmd.Output() // it fails when a test does
	var out strings.Builder
	summary, err := testsum.Read(bytes.NewReader(output), &out)
	if err != nil {
		t.Fatal(err)
	}
	return summary, out.String()
}

const header = "package a\n\nimport \"testing\"\n\n"

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  testsum.Summary
		says  []string
		not   []string
	}{
		{
			name: "all pass, subtests count",
			files: map[string]string{
				"a/a_test.go": header + `
func TestA(t *testing.T) { t.Log("quiet"); t.Run("sub", func(t *testing.T) {}) }
func TestB(t *testing.T) { t.Skip("later") }
func FuzzC(f *testing.F) { f.Add(1); f.Fuzz(func(*testing.T, int) {}) }`,
				"b/b.go": "package b",
			},
			want: testsum.Summary{Passed: 4, Skipped: 1},
			says: []string{"ok    example.com/m/a"},
			not:  []string{"quiet", "example.com/m/b"},
		},
		{
			name: "a failed subtest is shown, its neighbours are not",
			files: map[string]string{"a/a_test.go": header + `
func TestA(t *testing.T) {
	t.Run("bad", func(t *testing.T) { t.Error("it broke") })
	t.Run("good", func(t *testing.T) { t.Log("quiet") })
}`},
			want: testsum.Summary{Passed: 1, Failed: 2},
			says: []string{"--- FAIL: TestA/bad", "it broke", "FAIL  example.com/m/a"},
			not:  []string{"quiet", "=== RUN"},
		},
		{
			name: "a package that does not build is one failure",
			files: map[string]string{
				"a/a_test.go": header + `func TestA(t *testing.T) { undefinedThing() }`,
				"b/b_test.go": strings.Replace(header, "package a", "package b", 1) + `func TestB(t *testing.T) {}`,
			},
			want: testsum.Summary{Passed: 1, Failed: 1},
			says: []string{"undefined: undefinedThing", "FAIL  example.com/m/a  does not build", "ok    example.com/m/b"},
		},
		{
			name: "a panic is shown with its stack",
			files: map[string]string{"a/a_test.go": header + `
func TestA(t *testing.T) {}
func TestB(t *testing.T) { panic("at the disco") }`},
			want: testsum.Summary{Passed: 1, Failed: 1},
			says: []string{"panic: at the disco", "a_test.go:"},
		},
		{
			name: "a package can fail after its tests",
			files: map[string]string{"a/a_test.go": strings.Replace(header, `"testing"`, `("testing"; "os"; "fmt")`, 1) + `
func TestMain(m *testing.M) { m.Run(); fmt.Println("left over"); os.Exit(3) }
func TestA(t *testing.T) {}`},
			want: testsum.Summary{Passed: 1, Failed: 1},
			says: []string{"left over", "FAIL  example.com/m/a"},
		},
		{
			name: "tests that never end",
			files: map[string]string{"a/a_test.go": header + `
func TestA(t *testing.T) { t.Parallel(); t.Run("sub", func(t *testing.T) { t.Log("a long log"); <-make(chan int) }) }
func TestB(t *testing.T) { t.Parallel(); <-make(chan int) }
func TestC(t *testing.T) { t.Log("quiet") }`},
			want: testsum.Summary{Passed: 1, Failed: 1},
			says: []string{
				"test timed out", "goroutine ", "a_test.go:6", "a_test.go:7", "a long log",
				"UNFINISHED  TestA\nUNFINISHED  TestA/sub\nUNFINISHED  TestB\nFAIL  example.com/m/a",
			},
			not: []string{"quiet", "TestC"},
		},
		{
			name:  "nothing to test",
			files: map[string]string{"a/a.go": "package a"},
			want:  testsum.Summary{},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, said := report(t, c.files)
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			for _, text := range c.says {
				if !strings.Contains(said, text) {
					t.Errorf("%q is not shown", text)
				}
			}
			for _, text := range c.not {
				if strings.Contains(said, text) {
					t.Errorf("%q is shown", text)
				}
			}
			if t.Failed() {
				t.Log(said)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		summary testsum.Summary
		ok      bool
		text    string
	}{
		{testsum.Summary{Passed: 3}, true, "3 passed, 0 failed"},
		{testsum.Summary{Passed: 3, Failed: 1}, false, "3 passed, 1 failed"},
		{testsum.Summary{}, false, "0 passed, 0 failed"},
		{testsum.Summary{Skipped: 2}, false, "0 passed, 0 failed"},
	} {
		if c.summary.OK() != c.ok || c.summary.String() != c.text {
			t.Errorf("%+v: %v, %q", c.summary, c.summary.OK(), c.summary)
		}
	}
}

// A run that is interrupted leaves a report without an end.
func TestReadToAnAbruptEnd(t *testing.T) {
	var out strings.Builder
	summary, err := testsum.Read(strings.NewReader(`
{"Action":"start","Package":"m/a"}
{"Action":"start","Package":"m/b"}
{"Action":"run","Package":"m/a","Test":"TestA"}
{"Action":"output","Package":"m/a","Test":"TestA","Output":"half a log\n"}
{"Action":"pass","Package":"m/b"}
`), &out)
	if err != nil || summary != (testsum.Summary{Failed: 1}) {
		t.Errorf("got %+v, %v", summary, err)
	}
	if want := "half a log\nUNFINISHED  TestA\nFAIL  m/a  0.0s\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("got %q", out.String())
	}
}

func TestReadPassesOtherLinesOn(t *testing.T) {
	var out strings.Builder
	summary, err := testsum.Read(strings.NewReader("go: downloading\n{\"not\":\"an event\"}\nno newline"), &out)
	if err != nil || summary != (testsum.Summary{}) {
		t.Errorf("got %+v, %v", summary, err)
	}
	if want := "go: downloading\n{\"not\":\"an event\"}\nno newline"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}
