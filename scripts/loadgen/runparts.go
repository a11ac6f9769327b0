package main

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// clientStart measures the client by itself, beside a program that prints a line.
func (h *runHost) clientStart() error {
	list := []*launcher{
		{name: "hello", argv: []string{h.bench.hello}},
		{name: "cortex run --help", argv: []string{h.bench.cortex, "run", "--help"}},
		{name: "cortex --version", argv: []string{h.bench.cortex, "--version"}},
	}
	if err := h.pairs(list, 0); err != nil {
		return err
	}
	hello := list[0].took
	for _, l := range list[1:] {
		h.bench.table.row("start of the client ("+l.name+"), ms, beside a program that prints a line",
			l.took.text("%.2f"), hello.text("%.2f"), l.took.ratios(hello).text("%.2f"), "2", "1.5")
	}
	return nil
}

// whereRunsSpend takes the time of runs apart, by what the server and the daemon
// log of them: the parts of a median run are not those of any one run.
func (h *runHost) whereRunsSpend() error {
	const fetch, began, ended = "request", "started a program", "a program ended"
	skip := map[string]int{}
	for message, p := range map[string]*process{fetch: h.server, began: h.daemon, ended: h.daemon} {
		all, err := p.allTook(message)
		if err != nil {
			return err
		}
		skip[message] = len(all)
	}
	run := &launcher{name: piped, argv: []string{h.bench.cortex, "run", "--", command}}
	plain := &launcher{name: "exec", argv: []string{command}}
	if err := h.pairs([]*launcher{plain, run}, calm); err != nil {
		return err
	}
	part := func(p *process, message string) (float64, error) {
		all, err := p.allTook(message)
		var f figures
		for _, d := range all[min(len(all), skip[message]):] {
			f = append(f, milliseconds(d))
		}
		return f.median(), err
	}
	served, errServed := part(h.server, fetch)
	started, errStarted := part(h.daemon, began)
	whole, errWhole := part(h.daemon, ended)
	if err := errors.Join(errServed, errStarted, errWhole); err != nil {
		return err
	}
	parts := fmt.Sprintf("%.2f, %.2f, %.2f, %.2f", run.took.median()-whole, served, started-served, whole-started)
	h.bench.table.row("of those ms: the client; the server; the daemon until the command is there; from there to its end", parts, "", "", "", "")
	return nil
}

// clientMemory measures what a client holds while its command runs.
func (h *runHost) clientMemory() error {
	var peaks, owns figures
	for range h.bench.pairs {
		cmd := h.command("run", "--", "cat")
		in, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		peak, own, err := clientOf(cmd, in, out)
		if err := errors.Join(err, in.Close(), cmd.Wait()); err != nil {
			return err
		}
		peaks, owns = append(peaks, peak), append(owns, own)
	}
	h.bench.table.row("memory of a client while its command runs, MiB: the most, and what is its own", peaks.text("%.1f")+", "+owns.text("%.1f"), "", "", "", "")
	return nil
}

// clientOf waits until the command answers, and looks at the client.
func clientOf(cmd *exec.Cmd, in io.Writer, out io.Reader) (peak, own float64, err error) {
	if _, err := io.WriteString(in, "x"); err != nil {
		return 0, 0, err
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		return 0, 0, err
	}
	client := &process{cmd: cmd}
	most, errMost := client.status("VmHWM:")
	anonymous, errOwn := client.status("RssAnon:")
	return mebibytes(most), mebibytes(anonymous), errors.Join(errMost, errOwn)
}
