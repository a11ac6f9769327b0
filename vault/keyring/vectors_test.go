package keyring

import (
	"bytes"
	"encoding/hex"
	"errors"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A vector is one block of testdata/vectors.txt.
type vector map[string]string

// TestVectors checks the formats of this package against bytes that another
// implementation made.
func TestVectors(t *testing.T) {
	kinds := map[string]func(*testing.T, vector) error{
		"envelope": envelopeVector, "sealed": sealedVector, "derive": deriveVector,
		"mac": macVector, "row": rowVector, "slot": slotVector,
	}
	count := 0
	for _, v := range vectors(t) {
		count++
		t.Run(v["kind"]+"/"+v["name"], func(t *testing.T) {
			err := kinds[v["kind"]](t, v)
			got := "ok"
			if sentinel := sentinelOf(err); sentinel != nil {
				got = sentinel.Error()
			} else if err != nil {
				got = err.Error()
			}
			if got != v["want"] {
				t.Errorf("got %v, want %s", err, v["want"])
			}
		})
	}
	if count != 96 {
		t.Errorf("%d vectors", count)
	}
}

// vectors returns the blocks of testdata/vectors.txt, completed.
func vectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	good := map[string]vector{}
	for block := range strings.SplitSeq(string(text), "\n\n") {
		v := parseVector(block)
		if v["kind"] == "" {
			continue
		}
		full := vector{}
		maps.Copy(full, good[v["kind"]])
		maps.Copy(full, v)
		if full["want"] == "ok" {
			good[v["kind"]] = full
		}
		list = append(list, full)
	}
	return list
}

// parseVector parses lines of "key value".
func parseVector(block string) vector {
	v := vector{}
	for line := range strings.Lines(block) {
		if line = strings.TrimRight(line, "\n"); !strings.HasPrefix(line, "#") && line != "" {
			key, value, _ := strings.Cut(line, " ")
			v[key] = value
		}
	}
	return v
}

// sentinelOf returns the error of this package that err is, nil if none.
func sentinelOf(err error) error {
	for _, s := range []error{ErrOpen, ErrWrongPassword, ErrParams, ErrSlot, ErrDestroyed} {
		if errors.Is(err, s) {
			return s
		}
	}
	return nil
}

func (v vector) bytes(t testing.TB, key string) []byte {
	t.Helper()
	text, ok := v[key]
	b, err := hex.DecodeString(text)
	if !ok || err != nil {
		t.Fatalf("vector %q: %s is %q: %v", v["name"], key, text, err)
	}
	return b
}

func (v vector) number(t testing.TB, key string, bits int) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(v[key], 10, bits)
	if err != nil {
		t.Fatalf("vector %q: %v", v["name"], err)
	}
	return n
}

func (v vector) label(t testing.TB) Label {
	t.Helper()
	return Label{VaultID: v["vault"], Bucket: v["bucket"], Row: v["row"], Version: v.number(t, "version", 64)}
}

func (v vector) kek(t testing.TB) *KEK {
	t.Helper()
	return kekOf(t, uint32(v.number(t, "kek-version", 32)), v.bytes(t, "kek"))
}

// lockedCopy returns b in locked memory. It is not destroyed.
func lockedCopy(t testing.TB, b []byte) *locked.Buffer {
	t.Helper()
	buf, err := locked.NewBuffer(len(b))
	if err != nil {
		t.Fatal(err)
	}
	copy(buf.Bytes(), b)
	return buf
}

// kekOf returns the KEK of known bytes, until the test ends.
func kekOf(t testing.TB, version uint32, key []byte) *KEK {
	t.Helper()
	k, err := newKEK(version, lockedCopy(t, key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Destroy)
	return k
}

func (v vector) envelope(t testing.TB) Envelope {
	t.Helper()
	return Envelope{
		KEKVersion: uint32(v.number(t, "envelope-kek-version", 32)), DEKNonce: v.bytes(t, "dek-nonce"),
		WrappedDEK: v.bytes(t, "wrapped-dek"), Nonce: v.bytes(t, "nonce"), Body: v.bytes(t, "body"),
	}
}

func envelopeVector(t *testing.T, v vector) error {
	l, e := v.label(t), v.envelope(t)
	if v["want"] == "ok" {
		if got := l.appendDEKAAD(nil, e.KEKVersion); !bytes.Equal(got, v.bytes(t, "dek-aad")) {
			t.Errorf("associated data of the DEK is %x", got)
		}
		if got := l.appendAAD(nil, useBody); !bytes.Equal(got, v.bytes(t, "body-aad")) {
			t.Errorf("associated data of the body is %x", got)
		}
	}
	plaintext, err := v.kek(t).Open(l, e)
	if err == nil && !bytes.Equal(plaintext, v.bytes(t, "plaintext")) {
		t.Errorf("opens as %x", plaintext)
	}
	if err != nil && plaintext != nil {
		t.Errorf("returns %x with its error", plaintext)
	}
	return err
}

func sealedVector(t *testing.T, v vector) error {
	plaintext, err := v.kek(t).OpenBytes(v["use"], v.label(t), v.bytes(t, "sealed"))
	if err == nil && !bytes.Equal(plaintext, v.bytes(t, "plaintext")) {
		t.Errorf("opens as %x", plaintext)
	}
	return err
}

func deriveVector(t *testing.T, v vector) error {
	key, err := kekOf(t, 1, v.bytes(t, "kek")).Derive(v["label"])
	if err != nil {
		return err
	}
	defer key.Destroy()
	if !bytes.Equal(key.Bytes(), v.bytes(t, "key")) {
		t.Errorf("derives %x", key.Bytes())
	}
	return nil
}

// mac returns the MAC of a vector, until the test ends.
func (v vector) mac(t *testing.T) *MAC {
	t.Helper()
	m, err := NewMAC(lockedCopy(t, v.bytes(t, "mac-key")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Destroy)
	return m
}

func macVector(t *testing.T, v vector) error {
	var parts [][]byte
	if v["parts"] != "none" {
		for text := range strings.SplitSeq(v["parts"], ",") {
			parts = append(parts, vector{"part": text}.bytes(t, "part"))
		}
	}
	m := v.mac(t)
	if got := m.Tag(parts...); !bytes.Equal(got[:], v.bytes(t, "tag")) {
		t.Errorf("tag is %x", got)
	}
	if !m.Verify(v.bytes(t, "tag"), parts...) {
		t.Error("does not verify")
	}
	return nil
}

func rowVector(t *testing.T, v vector) error {
	if got := v.mac(t).RowTag(v["bucket"], v.bytes(t, "key"), v.bytes(t, "value")); !bytes.Equal(got[:], v.bytes(t, "tag")) {
		t.Errorf("tag is %x", got)
	}
	return nil
}

func slotVector(t *testing.T, v vector) error {
	s := Slot{
		ID: v["id"], Kind: v["slot-kind"], VaultID: v["vault"], KEKVersion: uint32(v.number(t, "kek-version", 32)),
		Params: Params{uint32(v.number(t, "memory", 32)), uint32(v.number(t, "time", 32)), uint8(v.number(t, "threads", 8))},
		Salt:   v.bytes(t, "salt"), Nonce: v.bytes(t, "nonce"), Wrapped: v.bytes(t, "wrapped"),
	}
	if v["want"] == "ok" {
		if got := s.aad(); !bytes.Equal(got, v.bytes(t, "aad")) {
			t.Errorf("associated data is %x", got)
		}
	}
	k, err := OpenSlot(t.Context(), s, opaque.New(v.bytes(t, "password")))
	if err != nil {
		return err
	}
	defer k.Destroy()
	if k.Version() != s.KEKVersion || !bytes.Equal(k.key.Bytes(), v.bytes(t, "kek")) {
		t.Errorf("opens as version %d, %x", k.Version(), k.key.Bytes())
	}
	return nil
}
