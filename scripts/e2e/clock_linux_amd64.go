package e2e

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A Clock is what a process takes for the time of day. The program is linked
// statically and asks the kernel's code in its own memory (the vDSO), so that is
// where the clock is put, before the program runs. Its monotonic clock stays as
// it is, as it does when somebody sets the machine's.
type Clock struct {
	mem *os.File // of the process
	at  int64    // where the seconds are that it is off by
}

// clockCode takes the place of clock_gettime: it has the kernel answer, and adds
// the seconds behind it to CLOCK_REALTIME.
var clockCode = []byte{
	0xb8, 0xe4, 0, 0, 0, // mov eax, 228 (clock_gettime)
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi
	0x75, 0x0a, // jne to the end
	0x48, 0x8b, 0x0d, 6, 0, 0, 0, // mov rcx, [what follows]
	0x48, 0x01, 0x0e, // add [rsi], rcx
	0xc3,       // ret
	0x90, 0x90, // to a multiple of eight
}

// Start starts a program that has this clock.
func (c *Clock) Start(cmd *exec.Cmd) error {
	runtime.LockOSThread() // only the thread that starts a process traces it
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	_, err := syscall.Wait4(pid, nil, 0, nil) // it stops before its first instruction
	if err == nil {
		err = c.put(pid)
	}
	if err == nil {
		err = syscall.PtraceDetach(pid)
	}
	if err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	return nil
}

// put puts the clock into a process that stands still.
func (c *Clock) put(pid int) (err error) {
	if c.mem, err = os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0); err != nil {
		return err
	}
	from, to, err := vdso(pid)
	if err != nil {
		return err
	}
	code := make([]byte, to-from)
	if _, err := io.ReadFull(io.NewSectionReader(c.mem, from, to-from), code); err != nil {
		return err
	}
	file, err := elf.NewFile(bytes.NewReader(code))
	if err != nil {
		return err
	}
	symbols, err := file.DynamicSymbols()
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" {
			at := from + int64(s.Value)
			c.at = at + int64(len(clockCode))
			_, err = c.mem.WriteAt(append(clockCode, make([]byte, 8)...), at)
			return err
		}
	}
	return fmt.Errorf("no clock_gettime in the vDSO: %v", err)
}

// vdso returns where the kernel's code is in the memory of a process.
func vdso(pid int) (from, to int64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(line, "[vdso]\n") {
			_, err := fmt.Sscanf(line, "%x-%x", &from, &to)
			return from, to, err
		}
	}
	return 0, 0, fmt.Errorf("no vDSO")
}

// Set has the clock be off by so much from now on.
func (c *Clock) Set(off time.Duration) error {
	seconds := binary.LittleEndian.AppendUint64(nil, uint64(off/time.Second))
	_, err := c.mem.WriteAt(seconds, c.at)
	return err
}

// Close lets go of the process, which keeps the clock as it is.
func (c *Clock) Close() error { return c.mem.Close() }
