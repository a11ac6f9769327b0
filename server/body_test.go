package server

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cortex-auth/cortex/server/limit"
)

func TestReadBody(t *testing.T) {
	for _, n := range []int{0, 1, 1023, 1024, 1025, freeBody, freeBody + 1, 100_000} {
		want := strings.Repeat("x", n)
		for _, body := range []io.Reader{strings.NewReader(want), iotest.OneByteReader(strings.NewReader(want)), iotest.DataErrReader(strings.NewReader(want))} {
			r := room{budget: limit.NewBudget(bodyBudget)}
			got, err := readBody(body, &r)
			if err != nil || string(got) != want {
				t.Fatalf("%d bytes: got %d, %v", n, len(got), err)
			}
			if most := int64(max(0, cap(got)-freeBody)); r.taken != most || r.budget.Left() != bodyBudget-most {
				t.Errorf("%d bytes in a buffer of %d took %d of the budget", n, cap(got), r.taken)
			}
			if cap(got) > max(1024, 2*n) {
				t.Errorf("%d bytes sit in %d", n, cap(got))
			}
			r.leave()
			r.leave()
			if left := r.budget.Left(); left != bodyBudget {
				t.Errorf("%d is left in the end", left)
			}
		}
	}
}

// Large bodies share a budget; small ones need none.
func TestCrowd(t *testing.T) {
	budget := limit.NewBudget(100 << 10)
	body := bytes.Repeat([]byte("x"), 60<<10)
	first, second := room{budget: budget}, room{budget: budget}
	if _, err := readBody(bytes.NewReader(body), &first); err != nil {
		t.Fatal(err)
	}
	if _, err := readBody(bytes.NewReader(body), &second); !errors.Is(err, errCrowded) {
		t.Errorf("got %v", err)
	}
	if _, err := readBody(bytes.NewReader(body[:freeBody-1]), &room{budget: limit.NewBudget(0)}); err != nil {
		t.Errorf("a small one: %v", err)
	}
	second.leave()
	first.leave()
	if _, err := readBody(bytes.NewReader(body), &second); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

// What is left behind as a body grows holds none of it, and a body that breaks
// off leaves nothing.
func TestReadBodyWipes(t *testing.T) {
	r := room{budget: limit.NewBudget(bodyBudget)}
	var seen []byte // shares the first buffer
	body := readerFunc(func(p []byte) (int, error) {
		if seen == nil {
			seen = p
		}
		return copy(p, "secretsecret"), nil
	})
	_, err := readBody(io.MultiReader(io.LimitReader(body, 5000), iotest.ErrReader(io.ErrUnexpectedEOF)), &r)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if bytes.ContainsAny(seen, "secret") {
		t.Errorf("left behind: %q", seen)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
