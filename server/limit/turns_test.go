package limit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// queue has keys wait, in that order, and returns the order of their turns. A
// capital letter is let ahead.
func queue(t *testing.T, turns *Turns[string], keys string) (got *string) {
	got = new(string)
	for _, key := range keys {
		go func() {
			done, err := turns.Wait(context.Background(), string(key), key < 'a', nil)
			if err != nil {
				t.Errorf("%c: %v", key, err)
				return
			}
			*got += string(key)
			done()
			done() // ends one turn, not two
		}()
		synctest.Wait()
	}
	return got
}

func TestTurns(t *testing.T) {
	for keys, want := range map[string]string{"": "", "a": "a", "abc": "abc", "abA": "Aab", "aAbBc": "ABabc"} {
		synctest.Test(t, func(t *testing.T) {
			turns := NewTurns[string](3)
			done, err := turns.Wait(t.Context(), "first", false, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := queue(t, turns, keys)
			if *got != "" {
				t.Errorf("%s went while it was another's turn", *got)
			}
			done()
			synctest.Wait()
			if *got != want {
				t.Errorf("%s: %s, want %s", keys, *got, want)
			}
			if done, err := turns.Wait(t.Context(), "last", false, nil); err != nil {
				t.Error(err)
			} else {
				done()
			}
		})
	}
}

// One of a key waits, and only so many; those who are let ahead have a place
// all the same.
func TestTurnsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns[string](2)
		done, err := turns.Wait(t.Context(), "a", false, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := queue(t, turns, "abA")
		for key, ahead := range map[string]bool{"a": false, "c": false, "A": true} {
			_, err := turns.Wait(t.Context(), key, ahead, func() { t.Errorf("%s has a place", key) })
			after(t, err)
		}
		done()
		synctest.Wait()
		if *got != "Aab" {
			t.Error(*got)
		}
	})
}

// Who goes away while waiting takes nobody's turn along.
func TestTurnsGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns[string](9)
		done, err := turns.Wait(t.Context(), "a", false, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 2)
		for _, key := range []string{"b", "c"} {
			go func() {
				done, err := turns.Wait(ctx, key, false, nil)
				if err == nil {
					done()
				}
				left <- err
			}()
		}
		synctest.Wait()
		got := queue(t, turns, "d")
		cancel()
		done() // perhaps to one that is about to leave
		for range 2 {
			if err := <-left; err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		synctest.Wait()
		if *got != "d" {
			t.Errorf("%q", *got)
		}
	})
}
