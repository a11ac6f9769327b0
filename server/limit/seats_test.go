package limit

import "testing"

func TestSeats(t *testing.T) {
	s := NewSeats(3, 2)
	leave, ok := s.Take("a", "x")
	if !ok {
		t.Fatal("no seat in an empty house")
	}
	if _, ok := s.Take("a", "y"); !ok {
		t.Fatal("no second seat for a key")
	}
	if _, ok := s.Take("b", "a"); ok {
		t.Error("a third seat for a key, which two are for")
	}
	if _, ok := s.Take("b"); !ok {
		t.Error("the seat refused for one key counts for another")
	}
	if _, ok := s.Take("c"); ok {
		t.Error("a fourth seat of three")
	}
	leave()
	leave()
	if n := s.Taken(); n != 2 {
		t.Errorf("%d seats are taken after one was left twice", n)
	}
	if _, ok := s.Take("a", "x"); !ok {
		t.Error("what was left cannot be taken")
	}
}
