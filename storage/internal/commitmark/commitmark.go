// Package commitmark stores the number of the newest commit on disk in a file next to the
// files of an engine.
//
// If a log is corrupt, an engine treats the corruption as the end of the log and silently
// drops everything after it. The file is therefore written after each commit is on disk,
// before the Updates of that commit return.
//
// The mark is only a check, and recovery does not depend on it. It is not synced, so after
// a power loss it may be older than acknowledged commits. It is never newer, so if the
// newest commit is older than the mark, commits have been lost.
package commitmark

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"path/filepath"

	"github.com/customerportal-go/customerportal/storage"
)

const (
	// SlotBytes is the size of a slot.
	SlotBytes = 512 // two slots, written one after the other, so that a torn write damages only one
	markBytes = 4 + 1 + 8 + crc32.Size

	// damaged replaces the number after a backend has found that commits are missing. The
	// engine may have moved the rows of the logs to tables since then, where the gap can no
	// longer be detected.
	damaged = math.MaxUint64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Format describes the file of a backend.
type Format struct {
	Backend string // begins error messages
	Magic   string // four bytes at the beginning of a slot

	// OldMagic is the magic of a format that the backend cannot read, and OldErr the error
	// for it. Both are optional.
	OldMagic string
	OldErr   error
}

// Mark is the file that stores the number of the newest commit on disk.
type Mark struct {
	Number uint64 // the number when the file was read
	Found  bool   // the file existed
	Strict bool   // each commit was synced before it was recorded here

	format Format
	files  Files
	path   string
	f      File
	to     mapping
}

// Read reads the file at path, which may be absent.
func (f Format) Read(files Files, path string) (m Mark, err error) {
	m = Mark{format: f, files: files, path: path}
	b, err := files.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", f.Backend, err)
	}
	for at := 0; at+markBytes <= len(b); at += SlotBytes {
		slot := b[at : at+markBytes]
		body, sum := slot[:markBytes-crc32.Size], slot[markBytes-crc32.Size:]
		if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(sum) {
			continue
		}
		if magic := string(body[:4]); f.OldMagic != "" && magic == f.OldMagic {
			return m, f.OldErr
		} else if magic != f.Magic {
			continue
		}
		if n := binary.BigEndian.Uint64(body[5:]); !m.Found || n >= m.Number {
			m.Found, m.Strict, m.Number = true, body[4] == 1, n
		}
	}
	if !m.Found && len(b) > 0 {
		return m, fmt.Errorf("%s: the commit mark in the file %s is invalid; restore a backup: %w", f.Backend, filepath.Base(path), storage.ErrCorrupt)
	}
	if m.Number == damaged {
		return m, fmt.Errorf("%s: commits are missing, as found by an earlier Open; restore a backup: %w", f.Backend, storage.ErrCorrupt)
	}
	return m, nil
}

// RecordDamage makes every later Read report that commits are missing. The mark must not be
// open.
func (m *Mark) RecordDamage() error {
	d := Mark{Strict: true, format: m.format, files: m.files, path: m.path}
	if err := d.write(damaged); err != nil {
		return err
	}
	return d.f.Close()
}

// Open opens the file for writing and stores number. sync reports whether each commit is
// synced before it is recorded. A directory that was written without syncing stays marked
// as such until it is closed without an error by a store that syncs.
func (m *Mark) Open(number uint64, sync bool) (err error) {
	m.Strict = sync && (m.Strict || !m.Found)
	// Allocate the blocks on disk before mapping the file: on a full disk, writing to the
	// mapping would terminate the process.
	if err := m.write(number); err != nil {
		return err
	}
	if m.to, err = mapFile(m.f, 2*SlotBytes); err != nil {
		err = fmt.Errorf("%s: commit mark: %w", m.format.Backend, err)
		err = errors.Join(err, m.f.Close())
		m.f = nil
	}
	return err
}

// write opens the file, and writes and syncs both slots, so that neither contains an old
// number.
func (m *Mark) write(number uint64) (err error) {
	if m.f, err = m.files.Open(m.path); err != nil {
		return fmt.Errorf("%s: %w", m.format.Backend, err)
	}
	b := make([]byte, 2*SlotBytes)
	copy(b, m.encode(number))
	copy(b[SlotBytes:], m.encode(number))
	_, err = m.f.WriteAt(b, 0)
	if err = errors.Join(err, m.f.Sync()); err != nil {
		err = fmt.Errorf("%s: commit mark: %w", m.format.Backend, err)
		err = errors.Join(err, m.f.Close())
		m.f = nil
	}
	return err
}

// Encode returns the content of a slot.
func (f Format) Encode(strict bool, number uint64) []byte {
	b := append(make([]byte, 0, markBytes), f.Magic...)
	b = append(b, 0)
	if strict {
		b[4] = 1
	}
	b = binary.BigEndian.AppendUint64(b, number)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func (m *Mark) encode(number uint64) []byte { return m.format.Encode(m.Strict, number) }

// Record stores that all commits up to number are on disk. It writes both slots, so that the
// number is known even if one of them is damaged later.
func (m *Mark) Record(number uint64) error {
	b := m.encode(number)
	return errors.Join(m.to.writeAt(b, 0), m.to.writeAt(b, SlotBytes))
}

// Close closes the file, if it is open. clean reports whether the engine was closed without
// an error, so that all data is on disk, and sync whether the store synced its commits.
func (m *Mark) Close(number uint64, clean, sync bool) error {
	if m.f == nil {
		return nil
	}
	var err error
	if clean && sync && !m.Strict {
		m.Strict = true
		err = m.Record(number)
	}
	return errors.Join(err, m.to.close(), m.f.Close())
}
