package spawn

import "testing"

func TestReadName(t *testing.T) {
	for arg, want := range map[string]string{
		"": "", "-": "-", "--": "--", "file": "file", "./-x": "./-x", "@file": "file", "/dir/@file": "/dir/@file", "@": "",
		"a=file": "file", "--in=file": "file", "--in=@file": "file", "--in=a=b": "a=b", "--in=": "", "=": "", "-=x": "x",
		"/dt=1/file": "/dt=1/file", "./a=b": "./a=b", "@/dt=1/file": "/dt=1/file",
		"-ffile": "file", "-d@file": "file", "-f=file": "file", "-Da=file": "file", "-Fa=@file": "file", "-I/dir/a=file": "file", "-x": "-x", "--verbose": "--verbose",
	} {
		if names, i := FileNames(arg), ReadName(arg); i < 0 || names[i] != want {
			t.Errorf("of %q, %q, it is %d", arg, names, i)
		}
	}
}

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
