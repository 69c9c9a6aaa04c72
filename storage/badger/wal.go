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
)

// What the engine writes in the meta byte of an entry of a log.
const (
	metaTxn    = 1 << 6
	metaTxnEnd = 1 << 7 // of a transaction; its value is the timestamp in decimal
)

// checkLogs compares the logs and tables with the mark, before the engine cuts a damaged
// log off where the damage begins. newest is the newest timestamp in a table.
//
// Logs can be missing between others: the engine removes a log when its rows are in tables,
// oldest first, but keeps one that an iterator still reads, and a crash may come then. So
// everything before a gap must be in tables. checkLogs returns the first part after the last
// gap, for [Store.requireBefore], or the zero part if there are no parts in the logs.
func checkLogs(dir string, logs []string, newest uint64, m commitMark) (first part, err error) {
	if !m.found || !m.strict {
		return part{}, nil
	}
	slices.SortFunc(logs, func(a, b string) int { return logNumber(a) - logNumber(b) })
	var last part
	before, end := "", int64(0) // the log before, and where its transactions end
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
					// A log is only followed by another one when it is full or was cut off.
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
			// The engine begins a new log when one is full.
			return part{}, lostCommits(max(newest, last.ts))
		}
		before, end = path, ended
	}
	if max(newest, last.ts) < m.ts || last.ts >= newest && last.complete() < m.ts {
		return part{}, lostCommits(max(newest, last.complete()) + 1)
	}
	return first, nil
}

// isZero reports whether a file contains only zeros from an offset on.
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
			return false, fmt.Errorf("storage/badger: reading a log: %w", err)
		}
	}
}

func lostCommits(from uint64) error {
	return fmt.Errorf("storage/badger: the log has lost commits from number %d on: %w", from, storage.ErrCorrupt)
}

func logNumber(name string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(name, ".mem"))
	if err != nil {
		return math.MaxInt // the engine refuses it
	}
	return n
}

// scanLog calls each for the part that every transaction in a log contains, as far as the
// engine reads the log: up to the first transaction that is incomplete. An entry is a meta
// byte and an unused byte; the lengths of key and value and an expiry, as varints; key and
// value; and a CRC-32C of all that. It returns the offset at which the last complete
// transaction ends.
func scanLog(path string, each func(part) error) (end int64, err error) {
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
	var open uint64   // the timestamp of the transaction whose entries these are
	var contains part // by its entries so far
	for {
		meta, key, value, ok := in.entry()
		if !ok {
			return end, in.failed
		}
		switch {
		case meta&metaTxnEnd > 0:
			ts, err := strconv.ParseUint(string(value), 10, 64)
			if err != nil || ts != open || contains.number == 0 {
				return end, nil
			}
			if err := each(contains); err != nil {
				return end, err
			}
			open, contains = 0, part{}
			end = info.Size() - in.left
		case meta&metaTxn > 0 && len(key) >= 8:
			ts := math.MaxUint64 - binary.BigEndian.Uint64(key[len(key)-8:])
			if open != 0 && open != ts {
				return end, nil
			}
			open = ts
			if p, ok := parsePart(key[:len(key)-8], value, ts); ok {
				contains = p
			}
		default:
			return end, nil // we write none
		}
	}
}

type logReader struct {
	from   *bufio.Reader
	left   int64
	buf    bytes.Buffer
	failed error // other than that the log ends
}

// entry reads one entry. ok is false if there is no complete one. Key and value are valid
// until the next call.
func (r *logReader) entry() (meta byte, key, value []byte, ok bool) {
	r.buf.Reset()
	meta = r.byte()
	r.byte()
	keyLength, valueLength, _ := r.uvarint(), r.uvarint(), r.uvarint()
	size := keyLength + valueLength + crc32.Size
	if r.failed != nil || keyLength == 0 || keyLength > math.MaxUint16+1 || valueLength > math.MaxInt32 || int64(size) > r.left {
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
		r.failed = fmt.Errorf("storage/badger: reading a log: %w", err)
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
