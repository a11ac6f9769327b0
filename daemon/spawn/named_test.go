package spawn

import "testing"

// Root alone makes what is below /dev, but not all of it.
func TestGiven(t *testing.T) {
	for name, want := range map[string]bool{
		"/dev/null": true, "/dev/stdin": true, "/dev/fd/3": true, "/proc/self/fd/0": true, "/dev/disk/by-id/x": true,
		"/dev/pts/7": false, "/dev//pts/7": false, "/dev/pts": false, "/dev/shm/x": false, "/dev/mqueue/x": false,
		"/dev/fd/../root/tmp/x": false, "/dev/../tmp/x": false, "dev/null": false, "/devices": false, "": false,
	} {
		if given(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
