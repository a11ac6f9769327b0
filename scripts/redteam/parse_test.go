package redteam

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

const (
	standing  = "\n## Where an attacker may stand\n\n| | position |\n| --- | --- |\n| A | the agent |\n| N | anybody |\n\n## Moves\n"
	vaultHead = "| id | who | move | outcome | what stops it |\n| --- | --- | --- | --- | --- |\n"
	hostHead  = "| id | who | move | personal | isolated | what stops it |\n| --- | --- | --- | --- | --- | --- |\n"
)

func TestParse(t *testing.T) {
	rows, err := parse(standing + vaultHead + "| `read-it` | N, A | read it | open | nothing |\n\n#### More\n\n" + hostHead + "| `two` | A | do it | open | stopped | a wall |\n")
	want := []row{
		{"read-it", []string{"N", "A"}, "read it", map[install]outcome{vaultSide: open}, "nothing"},
		{"two", []string{"A"}, "do it", map[install]outcome{personal: open, isolated: stopped}, "a wall"},
	}
	if err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "| `a` | N | b | open | c |\n"
	for text, why := range map[string]string{
		vaultHead + "| `a` | N | b | opened | c |\n":                               `"opened" is no outcome`,
		vaultHead + "| `a` | N | b |  | c |\n":                                     `"" is no outcome`,
		vaultHead + good + good:                                                    "the id a is there twice",
		vaultHead + good + "\n" + hostHead + "| `a` | N | b | open | open | c |\n": "the id a is there twice",
		vaultHead + "| a | N | b | open | c |\n":                                   "a is no id",
		vaultHead + "| `A b` | N | b | open | c |\n":                               "`A b` is no id",
		vaultHead + "| `a` | Q | b | open | c |\n":                                 `"Q" is no position`,
		vaultHead + "| `a` | N | b | open | open | c |\n":                          "6 cells, want 5",
		hostHead + good: "5 cells, want 6",
		vaultHead + "| `a` | N |  | open | c |\n":                 "a says too little",
		"| id | who | move | outcomes | what stops it |\n" + good: "a row in no table of moves",
	} {
		if rows, err := parse(standing + text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s%v, %v; want %s", text, rows, err, why)
		}
	}
}

func TestCompare(t *testing.T) {
	move := func(*testing.T) outcome { return open }
	rows := []row{{id: "a", want: map[install]outcome{vaultSide: open}}, {id: "b", want: map[install]outcome{personal: open, isolated: open}}}
	whole := func() map[install][]moves {
		return map[install][]moves{vaultSide: {{"a": move}}, personal: {{"b": move}}, isolated: {{"b": move}}}
	}
	if wrong := compare(rows, whole()); wrong != nil {
		t.Error(wrong)
	}
	for want, spoil := range map[string]func(made map[install][]moves){
		"outcome: nobody makes the move a":   func(made map[install][]moves) { delete(made, vaultSide) },
		"isolated: nobody makes the move b":  func(made map[install][]moves) { delete(made, isolated) },
		"outcome: the move b has no row":     func(made map[install][]moves) { made[vaultSide][0]["b"] = move },
		"isolated: the move c has no row":    func(made map[install][]moves) { made[isolated][0]["c"] = move },
		"personal: the move b is made twice": func(made map[install][]moves) { made[personal] = append(made[personal], moves{"b": move}) },
	} {
		made := whole()
		spoil(made)
		if wrong := compare(rows, made); !slices.ContainsFunc(wrong, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%q, want %s", wrong, want)
		}
	}
}

// A move that goes further than its row says is as wrong as one that does not go
// as far.
func TestVerdict(t *testing.T) {
	for _, want := range outcomes {
		for _, got := range append(outcomes, "") {
			r := row{id: "a", want: map[install]outcome{personal: want}}
			if wrong := verdict(r, personal, got); (wrong == "") != (got == want) {
				t.Errorf("%s where %s is expected: %q", got, want, wrong)
			}
		}
	}
}
