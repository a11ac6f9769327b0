package server

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A server that runs out of descriptors takes them from connections that say
// nothing.
func TestOutOfDescriptors(t *testing.T) {
	t.Parallel()
	for name, vars := range map[string][]string{
		"plain": {"ADMIN_TOKEN=0123456789abcdef"},
		"TLS":   {"ADMIN_TOKEN=0123456789abcdef", "INSECURE_HTTP=", "CORTEX_TLS=auto", "CORTEX_LISTEN=127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, "", vars...)
			p.leaveDescriptors(t, 8)
			client := &http.Client{
				Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
				Timeout:   30 * time.Second,
			}
			_, host, _ := strings.Cut(p.url, "://")
			for range 40 {
				conn, err := net.Dial("tcp", host)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
			}
			resp, err := client.Get(p.url + "/health")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status %d", resp.StatusCode)
			}
			p.stop(t)
		})
	}
}

// leaveDescriptors lets a process open n files or connections more.
func (p *process) leaveDescriptors(t *testing.T, n uint64) {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: uint64(len(open)) + n, Max: uint64(len(open)) + n}
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Fatal(err)
	}
}
