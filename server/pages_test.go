package server_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
)

// The page on which devices are approved loads only what its policy allows,
// and all of it is there.
func TestDevicePage(t *testing.T) {
	s := servertest.New(t)
	get := func(path, media string) string {
		t.Helper()
		resp, err := s.HTTP.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != media {
			t.Errorf("%s: %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		policy := resp.Header.Get("Content-Security-Policy")
		if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") || !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		return string(body)
	}
	page := get("/device?user_code=BCDF-2345", "text/html; charset=utf-8")
	if strings.Contains(page, "BCDF-2345") {
		t.Error("the page takes the code from its address")
	}
	if inline := regexp.MustCompile(`(?i)<script>|<style|\son[a-z]+=|style=|javascript:`).FindString(page); inline != "" {
		t.Errorf("the page has inline code: %q", inline)
	}
	loads := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(loads) != 2 {
		t.Errorf("the page loads %v", loads)
	}
	get("/static/device.js", "text/javascript; charset=utf-8")
	get("/static/style.css", "text/css; charset=utf-8")
	for _, path := range []string{"/static/", "/static/web.go", "/static/..%2fweb.go", "/static/device", "/static/%00.js"} {
		resp, err := s.HTTP.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode/100 != 4 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}
