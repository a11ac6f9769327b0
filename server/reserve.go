package server

import (
	"fmt"
	"strconv"
	"strings"
)

// How large the reserve is where nobody says otherwise, and between what it can
// be.
const (
	reserveSize = 64 << 20
	minReserve  = 1 << 20
	maxReserve  = 1 << 40
)

// auditReserve reads how many bytes of the disk are held back for the audit trail,
// 0 for none.
func (s settings) auditReserve() (int64, error) {
	switch s.reserve {
	case "":
		return reserveSize, nil
	case "off":
		return 0, nil
	}
	digits, unit := s.reserve, int64(1)
	for suffix, size := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if n, found := strings.CutSuffix(s.reserve, suffix); found {
			digits, unit = n, size
		}
	}
	n, err := strconv.ParseUint(digits, 10, 41)
	if size := int64(n) * unit; err == nil && size >= minReserve && size <= maxReserve && size/unit == int64(n) {
		return size, nil
	}
	return 0, fmt.Errorf("CORTEX_AUDIT_RESERVE %q: want a size such as 64MiB, 1MiB at least, or off", s.reserve)
}
