package web

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// What agents and strangers chose reaches the pages as text. None of their scripts
// may turn a text into markup or code.
func TestScriptsMakeNoMarkup(t *testing.T) {
	dangerous := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|\beval\b|new Function|setTimeout\(\s*['"]`)
	scripts := 0
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".js") && !strings.HasSuffix(path, ".html") {
			return err
		}
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		scripts++
		for _, found := range dangerous.FindAll(text, -1) {
			t.Errorf("%s: %s", path, found)
		}
		return nil
	})
	if err != nil || scripts == 0 {
		t.Errorf("%d scripts, %v", scripts, err)
	}
}
