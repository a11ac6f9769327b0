// Package web holds the pages that people open in a browser. They are static,
// and do what they do through the API, with a credential that the person
// types: a page can do nothing that its reader could not.
package web

import (
	"embed"
	"path"
)

// Policy is the Content-Security-Policy of a page: its own script and style,
// requests to its own server, and nothing else.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

//go:embed static
var files embed.FS

// types are the media types by extension. What is not listed is not served.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
}

// A File is one embedded file.
type File struct {
	// Type is its media type.
	Type string
	// Body is its content, which must not be changed.
	Body []byte
}

// Open returns a file by its name without directories; ok is false if there is
// none.
func Open(name string) (f File, ok bool) {
	media, ok := types[path.Ext(name)]
	if !ok || name != path.Base(name) {
		return File{}, false
	}
	body, err := files.ReadFile("static/" + name)
	return File{media, body}, err == nil
}
