package spawn

import (
	"encoding/binary"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

func scheduleSize(s ipc.Schedule) int { return 1 + 1 + 2 + 4 + 8*len(s.CPUs) }

func appendSchedule(b []byte, s ipc.Schedule) []byte {
	b = append(b, byte(int8(s.Nice)), byte(s.Policy))
	b = binary.BigEndian.AppendUint16(b, uint16(s.IO))
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.CPUs)))
	for _, word := range s.CPUs {
		b = binary.BigEndian.AppendUint64(b, word)
	}
	return b
}

func (d *decoder) schedule() (s ipc.Schedule) {
	s.Nice, s.Policy = int(int8(d.byte())), int(d.byte())
	s.IO = int(d.byte())<<8 | int(d.byte())
	for range d.count(8) {
		s.CPUs = append(s.CPUs, d.uint64())
	}
	return s
}
