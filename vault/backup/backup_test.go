package backup_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/vault/backup"
)

func sample(t testing.TB, file string) []byte {
	t.Helper()
	h := backup.Header{VaultID: "7f1c", Time: time.Unix(1, 2).UTC(), Schema: 3, Head: []byte("head"), Size: uint64(len(file))}
	var b bytes.Buffer
	if err := backup.Write(&b, h, strings.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if n, err := h.Length(); err != nil || n != int64(b.Len()) {
		t.Fatalf("length %d, %v, of %d", n, err, b.Len())
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	for _, file := range []string{"", "x", strings.Repeat("page", 50_000)} {
		var out bytes.Buffer
		h, err := backup.Read(&out, bytes.NewReader(sample(t, file)))
		if err != nil || out.String() != file || h.VaultID != "7f1c" || !h.Time.Equal(time.Unix(1, 2)) || h.Schema != 3 || string(h.Head) != "head" {
			t.Errorf("%d bytes: %+v, %v", len(file), h, err)
		}
	}
}

// Every byte counts, and so does every missing or added one.
func TestDamage(t *testing.T) {
	good := sample(t, "some file")
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := backup.Read(io.Discard, bytes.NewReader(bad)); err == nil {
			t.Errorf("byte %d is changed, and nobody minds", i)
		}
		if _, err := backup.Read(io.Discard, bytes.NewReader(good[:i])); !errors.Is(err, backup.ErrDamaged) && !errors.Is(err, backup.ErrForeign) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	if _, err := backup.Read(io.Discard, bytes.NewReader(append(bytes.Clone(good), 0))); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("one more byte: %v", err)
	}
	newer := bytes.Clone(good)
	newer[11] = 2
	if _, err := backup.Read(io.Discard, bytes.NewReader(newer)); !errors.Is(err, backup.ErrNewer) {
		t.Errorf("newer: %v", err)
	}
}

// A file that is shorter than announced is no backup.
func TestShortFile(t *testing.T) {
	h := backup.Header{VaultID: "v", Time: time.Unix(1, 0), Size: 10}
	if err := backup.Write(io.Discard, h, strings.NewReader("short")); err == nil {
		t.Error("it was written")
	}
}

// What parses is written back as the same bytes.
func FuzzRead(f *testing.F) {
	f.Add(sample(f, ""))
	f.Add(sample(f, "file"))
	f.Add([]byte("CORTEXBK\x00\x00\x00\x01\xff\xff\xff\xff"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var file bytes.Buffer
		h, err := backup.Read(&file, bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := backup.Write(&again, h, &file); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Fatalf("%v: %x became %x", err, b, again.Bytes())
		}
	})
}
