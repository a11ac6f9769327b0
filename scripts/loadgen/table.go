package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// A table is what is printed: a line of Markdown for each figure.
type table struct{ w io.Writer }

func (t *table) head() {
	fmt.Fprintln(t.w, "| figure | cortex | beside it | ratio | must | stretch |")
	fmt.Fprintln(t.w, "| --- | --- | --- | --- | --- | --- |")
}

// row prints one line. What has no goal, or nothing beside it, says so.
func (t *table) row(figure, cortex, beside, ratio, must, stretch string) {
	for _, s := range []*string{&beside, &ratio, &must, &stretch} {
		if *s == "" {
			*s = "n/a"
		}
	}
	fmt.Fprintf(t.w, "| %s | %s | %s | %s | %s | %s |\n", figure, cortex, beside, ratio, must, stretch)
}

// figures are the same figure, taken several times.
type figures []float64

// median returns the middle of f, 0 where there is none.
func (f figures) median() float64 {
	if len(f) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(f))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// text shows the median and the spread.
func (f figures) text(format string) string {
	if len(f) == 0 {
		return ""
	}
	return fmt.Sprintf(format+" ["+format+"–"+format+"]", f.median(), slices.Min(f), slices.Max(f))
}

// ratios returns what each of f is of its pair in g.
func (f figures) ratios(g figures) figures {
	var r figures
	for i := range min(len(f), len(g)) {
		if g[i] != 0 {
			r = append(r, f[i]/g[i])
		}
	}
	return r
}

func connections(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return fmt.Sprint(n, " connections")
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }
