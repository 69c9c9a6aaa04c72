package badger

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/commitmark"
)

// Bits of the meta byte of a log entry.
const (
	metaTxn    = 1 << 6
	metaTxnEnd = 1 << 7 // end of a transaction; the value is its timestamp in decimal
)

// checkLogs compares the logs and tables with the commit mark, before the engine truncates
// a corrupt log. newest is the newest timestamp in a table.
//
// There can be gaps between the logs. The engine removes a log when its rows are in tables,
// oldest first, but it keeps a log that an iterator still reads, and a crash may follow. So
// every row before a gap must be in a table. checkLogs returns the first part after the
// last gap, for [Store.requirePartsBeforeLogs], or the zero part if the logs contain no
// parts.
func checkLogs(dir string, logs []string, newest uint64, m commitmark.Mark) (first part, err error) {
	if !m.Found || !m.Strict {
		return part{}, nil
	}
	slices.SortFunc(logs, func(a, b string) int { return logNumber(a) - logNumber(b) })
	var last part
	before, end := "", int64(0) // the previous log, and the end of its last transaction
	for i, name := range logs {
		path := filepath.Join(dir, name)
		parts := 0
		ended, err := scanLog(path, func(p part) error {
			parts++
			switch {
			case last.number > 0 && p.follows(last):
			case p.ts > newest+1 || p.ts == newest+1 && p.number > 1:
				return lostCommits(max(newest+1, last.ts))
			case parts > 1:
				return lostCommits(last.ts)
			default:
				if last.number > 0 {
					// A log is followed by another one only if it is full or was truncated.
					if clean, err := isZero(before, end); err != nil {
						return err
					} else if !clean {
						return lostCommits(last.ts)
					}
				}
				first = p
			}
			last = p
			return nil
		})
		if err != nil {
			return part{}, err
		}
		if parts == 0 && i < len(logs)-1 {
			// The engine creates a new log only when the previous one is full.
			return part{}, lostCommits(max(newest, last.ts))
		}
		before, end = path, ended
	}
	if max(newest, last.ts) < m.Number || last.ts >= newest && last.complete() < m.Number {
		return part{}, lostCommits(max(newest, last.complete()) + 1)
	}
	return first, nil
}

// isZero reports whether a file contains only zeros after an offset.
func isZero(path string, from int64) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("storage/badger: %w", err)
	}
	defer f.Close()
	buf := make([]byte, tableBuffer)
	for {
		n, err := f.ReadAt(buf, from)
		if len(bytes.TrimLeft(buf[:n], "\x00")) > 0 {
			return false, nil
		}
		from += int64(n)
		switch {
		case err == io.EOF:
			return true, nil
		case err != nil:
			return false, fmt.Errorf("storage/badger: cannot read log: %w", err)
		}
	}
}

func lostCommits(from uint64) error {
	return fmt.Errorf("storage/badger: the log has lost commit %d and later ones; restore a backup: %w", from, storage.ErrCorrupt)
}

func logNumber(name string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(name, ".mem"))
	if err != nil {
		return math.MaxInt // the engine rejects it
	}
	return n
}

// scanLog calls fn for the part of every transaction in a log. Like the engine, it stops at
// the first incomplete transaction. It returns the offset after the last complete
// transaction. An entry of a log consists of a meta byte and an unused byte; the lengths of
// key and value and the expiry time, as varints; the key and the value; and a CRC-32C of
// all of these.
func scanLog(path string, fn func(part) error) (end int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("storage/badger: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("storage/badger: %w", err)
	}
	end = logHeader
	if info.Size() <= logHeader {
		return end, nil
	}
	in := &logReader{from: bufio.NewReaderSize(io.NewSectionReader(f, logHeader, info.Size()-logHeader), tableBuffer)}
	in.left = info.Size() - logHeader
	var open uint64  // timestamp of the current transaction, or 0
	var current part // part found in the current transaction
	for {
		meta, key, value, ok := in.entry()
		if !ok {
			return end, in.err
		}
		switch {
		case meta&metaTxnEnd > 0:
			ts, err := strconv.ParseUint(string(value), 10, 64)
			if err != nil || ts != open || current.number == 0 {
				return end, nil
			}
			if err := fn(current); err != nil {
				return end, err
			}
			open, current = 0, part{}
			end = info.Size() - in.left
		case meta&metaTxn > 0 && len(key) >= 8:
			ts := math.MaxUint64 - binary.BigEndian.Uint64(key[len(key)-8:])
			if open != 0 && open != ts {
				return end, nil
			}
			open = ts
			if p, ok := parsePart(key[:len(key)-8], value, ts); ok {
				current = p
			}
		default:
			return end, nil // this package writes no other entries
		}
	}
}

type logReader struct {
	from *bufio.Reader
	left int64
	buf  bytes.Buffer
	err  error // error other than the end of the log
}

// entry reads one entry. ok is false if there is no complete entry. Key and value are valid
// until the next call.
func (r *logReader) entry() (meta byte, key, value []byte, ok bool) {
	r.buf.Reset()
	meta = r.byte()
	r.byte()
	keyLength, valueLength, _ := r.uvarint(), r.uvarint(), r.uvarint()
	size := keyLength + valueLength + crc32.Size
	if r.err != nil || keyLength == 0 || keyLength > math.MaxUint16+1 || valueLength > math.MaxInt32 || int64(size) > r.left {
		return 0, nil, nil, false
	}
	head := r.buf.Len()
	r.left -= int64(size)
	if _, err := io.CopyN(&r.buf, r.from, int64(size)); err != nil {
		r.fail(err)
		return 0, nil, nil, false
	}
	b := r.buf.Bytes()
	body, sum := b[:len(b)-crc32.Size], b[len(b)-crc32.Size:]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(sum) {
		return 0, nil, nil, false
	}
	return meta, body[head : head+int(keyLength)], body[head+int(keyLength):], true
}

func (r *logReader) fail(err error) {
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		r.err = fmt.Errorf("storage/badger: cannot read log: %w", err)
	}
}

func (r *logReader) byte() byte {
	b, err := r.from.ReadByte()
	if err != nil {
		r.fail(err)
		return 0
	}
	r.left--
	r.buf.WriteByte(b)
	return b
}

func (r *logReader) uvarint() (v uint64) {
	for shift := 0; shift < 64; shift += 7 {
		b := r.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	return v
}
