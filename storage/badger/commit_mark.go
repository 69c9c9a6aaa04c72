package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/customerportal-go/customerportal/storage"
)

// A damaged log ends at the damage, and the engine takes that for the end of what was
// committed: it cuts the rest off and says nothing. So a file beside the engine's says
// how far commits have come. It is written after each commit that is on disk, before
// the Updates of that commit return.
//
// It is only a check, and decides nothing. It is not synced: after a power loss it may be
// older than commits that were acknowledged. It is never ahead of them, so a newest commit
// that is older than the mark has been lost. Open sees a log that ends too early before
// the engine does, and one that has lost something in the middle by the parts that are
// missing: see parts.go.
const (
	markName  = "COMMITS"
	markSlot  = 512 // two slots, in turn, so that a torn write spoils only one
	markBytes = 4 + 1 + 8 + crc32.Size
	markMagic = "cpm2"
	markOld   = "cpm1" // of format version 1, whose logs this package cannot read

	// markDamaged in place of a timestamp: an Open has found that commits are missing. The
	// engine has moved the logs into tables meanwhile, and the gap cannot be seen there.
	markDamaged = math.MaxUint64
)

// mark is the file that says how far commits have come.
type commitMark struct {
	f      *os.File
	to     mapping
	strict bool   // commits were on disk before it said so
	ts     uint64 // what it said when it was opened
	found  bool
}

// readMark reads the file; one that is not there says nothing.
func readMark(dir string) (m commitMark, err error) {
	b, err := os.ReadFile(filepath.Join(dir, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("storage/badger: %w", err)
	}
	for at := 0; at+markBytes <= len(b); at += markSlot {
		slot := b[at : at+markBytes]
		body, sum := slot[:markBytes-crc32.Size], slot[markBytes-crc32.Size:]
		if string(body[:4]) == markOld && crc32.Checksum(body, castagnoli) == binary.BigEndian.Uint32(sum) {
			return m, fmt.Errorf("%w: it has version 1, this package reads version %d", ErrVersion, formatVersion)
		}
		if string(body[:4]) != markMagic || crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(sum) {
			continue
		}
		if ts := binary.BigEndian.Uint64(body[5:]); !m.found || ts >= m.ts {
			m.found, m.strict, m.ts = true, body[4] == 1, ts
		}
	}
	if !m.found && len(b) > 0 {
		return m, corrupt(markName)
	}
	if m.ts == markDamaged {
		return m, fmt.Errorf("storage/badger: commits are missing, as Open has found before: %w", storage.ErrCorrupt)
	}
	return m, nil
}

// condemn makes every later Open of dir report that commits are missing.
func recordDamage(dir string) error {
	m := commitMark{strict: true}
	if err := m.write(dir, markDamaged); err != nil {
		return err
	}
	return m.f.Close()
}

// open opens the file for writing, and says in it what is true at ts. A directory that
// was written without syncing stays as it is called until it is closed in good order.
func (m *commitMark) open(dir string, ts uint64, sync bool) (err error) {
	m.strict = sync && (m.strict || !m.found)
	// The blocks are on disk before the file is mapped: where they were not, a full disk
	// would end the process.
	if err := m.write(dir, ts); err != nil {
		return err
	}
	if m.to, err = mapFile(m.f, 2*markSlot); err != nil {
		err = fmt.Errorf("storage/badger: %s: %w", markName, err)
		err = errors.Join(err, m.f.Close())
		m.f = nil
	}
	return err
}

// write opens the file, and writes both of its slots to the disk, so that none is left that
// says otherwise.
func (m *commitMark) write(dir string, ts uint64) (err error) {
	if m.f, err = os.OpenFile(filepath.Join(dir, markName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return fmt.Errorf("storage/badger: %w", err)
	}
	b := make([]byte, 2*markSlot)
	copy(b, m.encode(ts))
	copy(b[markSlot:], m.encode(ts))
	_, err = m.f.WriteAt(b, 0)
	if err = errors.Join(err, m.f.Sync()); err != nil {
		err = fmt.Errorf("storage/badger: %s: %w", markName, err)
		err = errors.Join(err, m.f.Close())
		m.f = nil
	}
	return err
}

func (m *commitMark) encode(ts uint64) []byte {
	b := append(make([]byte, 0, markBytes), markMagic...)
	b = append(b, 0)
	if m.strict {
		b[4] = 1
	}
	b = binary.BigEndian.AppendUint64(b, ts)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// set says that all commits up to ts are on disk.
func (m *commitMark) record(ts uint64) error {
	return m.to.writeAt(m.encode(ts), int64(ts%2)*markSlot)
}

// close closes the file. whole reports whether the engine closed without an error, so that
// everything is in tables on disk.
func (m *commitMark) close(ts uint64, whole, sync bool) error {
	if m.f == nil {
		return nil
	}
	var err error
	if whole && sync && !m.strict {
		m.strict = true
		err = errors.Join(m.to.writeAt(m.encode(ts), 0), m.to.writeAt(m.encode(ts), markSlot))
	}
	return errors.Join(err, m.to.close(), m.f.Close())
}
