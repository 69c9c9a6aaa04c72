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

// If a log is corrupt, the engine treats the corruption as the end of the log and silently
// drops everything after it. The file COMMITS therefore stores the timestamp of the newest
// commit on disk. It is written after each commit is on disk, before the Updates of that
// commit return.
//
// The mark is only a check, and recovery does not depend on it. It is not synced, so after
// a power loss it may be older than acknowledged commits. It is never newer, so if the
// newest commit is older than the mark, commits have been lost. Open detects a log that
// ends too early before the engine reads it. It detects a gap inside a log by the parts
// that are missing: see parts.go.
const (
	markName  = "COMMITS"
	markSlot  = 512 // two slots, written alternately, so that a torn write damages only one
	markBytes = 4 + 1 + 8 + crc32.Size
	markMagic = "cpm2"
	markOld   = "cpm1" // format version 1, which this package cannot read

	// markDamaged replaces the timestamp after Open has found that commits are missing. The
	// engine may have moved the rows of the logs to tables since then, where the gap can no
	// longer be detected.
	markDamaged = math.MaxUint64
)

// commitMark is the file that stores the timestamp of the newest commit on disk.
type commitMark struct {
	f      *os.File
	to     mapping
	strict bool   // each commit was synced before it was recorded here
	ts     uint64 // the timestamp when the file was opened
	found  bool
}

// readMark reads the file. If it does not exist, found is false.
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
			return m, fmt.Errorf("%w: the directory has version 1, this package supports only version %d", ErrVersion, formatVersion)
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
		return m, fmt.Errorf("storage/badger: commits are missing, as found by an earlier Open; restore a backup: %w", storage.ErrCorrupt)
	}
	return m, nil
}

// recordDamage makes every later Open of dir report that commits are missing.
func recordDamage(dir string) error {
	m := commitMark{strict: true}
	if err := m.write(dir, markDamaged); err != nil {
		return err
	}
	return m.f.Close()
}

// open opens the file for writing and stores ts. A directory that was written without
// syncing stays marked as such until it is closed without an error by a store that syncs.
func (m *commitMark) open(dir string, ts uint64, sync bool) (err error) {
	m.strict = sync && (m.strict || !m.found)
	// Allocate the blocks on disk before mapping the file: on a full disk, writing to the
	// mapping would terminate the process.
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

// write opens the file, and writes and syncs both slots, so that neither contains an old
// timestamp.
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

// record stores that all commits up to ts are on disk.
func (m *commitMark) record(ts uint64) error {
	return m.to.writeAt(m.encode(ts), int64(ts%2)*markSlot)
}

// close closes the file. clean reports whether the engine was closed without an error, so
// that all data is in tables on disk.
func (m *commitMark) close(ts uint64, clean, sync bool) error {
	if m.f == nil {
		return nil
	}
	var err error
	if clean && sync && !m.strict {
		m.strict = true
		err = errors.Join(m.to.writeAt(m.encode(ts), 0), m.to.writeAt(m.encode(ts), markSlot))
	}
	return errors.Join(err, m.to.close(), m.f.Close())
}
