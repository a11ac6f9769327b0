package ipc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// What reading from the socket can fail with.
var (
	// ErrMalformed: the line is not what the protocol asks for.
	ErrMalformed = errors.New("malformed request")
	// ErrTooLong: the line is longer than [MaxLine].
	ErrTooLong = errors.New("request too long")
)

// ParseRequest reads a line, with or without its LF. Whatever it accepts can
// be carried out as it stands: no byte in it would end a string early, and
// descriptors are named once each.
func ParseRequest(line []byte) (Request, error) {
	var r Request
	if len(line) > MaxLine {
		return r, ErrTooLong
	}
	if err := decode(line, &r); err != nil {
		return Request{}, err
	}
	if err := r.validate(); err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return r, nil
}

// ParseSignal reads a line a launcher sends while its program runs.
func ParseSignal(line []byte) (Signal, error) {
	var s Signal
	if err := decode(line, &s); err != nil {
		return Signal{}, err
	}
	if s.Signal < 1 || s.Signal > MaxSignal {
		return Signal{}, fmt.Errorf("%w: no such signal", ErrMalformed)
	}
	return s, nil
}

func decode(line []byte, into any) error {
	if err := check(line); err != nil {
		return err
	}
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("%w: %s", ErrMalformed, shape(err))
	}
	return nil
}

// shape says what is wrong without quoting the line.
func shape(err error) string {
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && t.Field != "" {
		return fmt.Sprintf("member %q has the wrong type", t.Field)
	}
	return "an object of another shape"
}

func (r Request) validate() error {
	switch {
	case r.Cmd == "":
		return errors.New("cmd is missing")
	case r.V < 0 || r.V > VersionFurther:
		return fmt.Errorf("version %d is not known", r.V)
	case r.Umask != nil && (*r.Umask < 0 || *r.Umask > 0o777):
		return errors.New("bad umask")
	case r.Wait < 0 || r.Timeout < 0:
		return errors.New("bad time")
	case r.Names == nil && len(r.Aliases)+len(r.SSH) > 0:
		return errors.New("aliases or keys without names")
	case (r.Names == nil || r.V < VersionFiles) && (len(r.Files)+len(r.Templates) > 0 || r.Stdin != ""):
		return fmt.Errorf("files or standard input without names, or before version %d", VersionFiles)
	case len(r.TemplateFiles) > 0 && r.V < VersionExposed:
		return fmt.Errorf("files on a disk before version %d", VersionExposed)
	case r.Canary && (r.V < VersionCanary || r.asks()):
		return fmt.Errorf("a canary beside secrets, or before version %d", VersionCanary)
	case len(r.Files)+len(r.Templates) > maxSecretFiles:
		return errors.New("too many files")
	case len(r.SSH) > maxSSH:
		return errors.New("too many keys")
	case r.V == 0 && len(r.FDs) > 0:
		return errors.New("descriptors without v")
	}
	return errors.Join(r.validateTexts(), r.validateExposed(), r.validateFiles(), r.validateLimits(), validateSignals(r.Ignored), validateSignals(r.Blocked), r.Schedule.validate())
}

// asks reports whether r may be for secrets.
func (r Request) asks() bool {
	return r.Names == nil || len(*r.Names)+len(r.Aliases)+len(r.SSH)+len(r.Files)+len(r.Templates)+len(r.Stdin) > 0
}

func (r Request) validateTexts() error {
	hasNUL := func(t Text) bool { return strings.IndexByte(string(t), 0) >= 0 }
	if hasNUL(r.Program) || slices.ContainsFunc(r.Args, hasNUL) {
		return errors.New("an argument holds a NUL")
	}
	for _, t := range r.Env {
		if hasNUL(t) || strings.IndexByte(string(t), '=') < 1 {
			return errors.New("a variable is not NAME=VALUE")
		}
	}
	if slices.ContainsFunc(r.Aliases, notPair) {
		return errors.New("an alias is not NAME=ALIAS")
	}
	if slices.ContainsFunc(r.Files, notPair) {
		return errors.New("a file is not NAME=VARIABLE")
	}
	if slices.ContainsFunc(r.Templates, notPair) {
		return errors.New("a template is not PATH=VARIABLE")
	}
	return nil
}

// validateExposed refuses files on a disk for what is no template of the request, and
// for one twice.
func (r Request) validateExposed() error {
	for i, f := range r.TemplateFiles {
		variable, path, _ := strings.Cut(f, "=")
		given := func(t string) bool { return strings.HasSuffix(t, "="+variable) }
		again := func(o string) bool { return strings.HasPrefix(o, variable+"=") }
		if variable == "" || path == "" || strings.ContainsAny(f, "\x00\n\r") || !slices.ContainsFunc(r.Templates, given) || slices.ContainsFunc(r.TemplateFiles[:i], again) {
			return errors.New("a file on a disk is not VARIABLE=PATH, once for a template")
		}
	}
	return nil
}

// notPair reports whether a text is not two names.
func notPair(text string) bool {
	a, b, _ := strings.Cut(text, "=")
	return a == "" || b == "" || strings.Contains(b, "=") || strings.ContainsAny(text, "\x00\n\r")
}

var fileNames = []string{FileCWD, FileStdin, FileStdout, FileStderr, FileTerminal, FileRelay}

func (r Request) validateFiles() error {
	if len(r.FDs) > MaxFiles {
		return errors.New("too many descriptors")
	}
	further := 0
	for i, name := range r.FDs {
		_, other := Further(name)
		if !other && !slices.Contains(fileNames, name) || slices.Contains(r.FDs[:i], name) {
			return fmt.Errorf("fds must name %s, each once", strings.Join(fileNames, ", "))
		}
		if other {
			further++
		}
	}
	if further > MaxFurther || further > 0 && r.V < VersionFurther {
		return fmt.Errorf("too many further descriptors, or before version %d", VersionFurther)
	}
	if slices.Contains(r.FDs, FileTerminal) != slices.Contains(r.FDs, FileRelay) {
		return errors.New("terminal and relay go together")
	}
	return nil
}

// maxSSH is how many keys SSH servers let a client try, and some.
const maxSSH = 16

// maxSecretFiles leaves the program descriptors of its own, whatever its limit is.
const maxSecretFiles = 64

func validateSignals(list []syscall.Signal) error {
	for i, s := range list {
		if s < 1 || s > MaxSignal || slices.Contains(list[:i], s) {
			return errors.New("bad signals")
		}
	}
	return nil
}

func (s *Schedule) validate() error {
	if s != nil && (s.Nice < -20 || s.Nice > 19 || s.Policy < 0 || s.Policy > 0xff || s.IO < 0 || s.IO > 0xffff || len(s.CPUs) > MaxCPUs) {
		return errors.New("bad schedule")
	}
	return nil
}

// maxResource is beyond every resource that systems have limits for.
const maxResource = 32

func (r Request) validateLimits() error {
	for i, l := range r.Limits {
		same := func(o Limit) bool { return o.Resource == l.Resource }
		if l.Resource < 0 || l.Resource >= maxResource || l.Soft > l.Hard || slices.ContainsFunc(r.Limits[:i], same) {
			return errors.New("bad limits")
		}
	}
	return nil
}
