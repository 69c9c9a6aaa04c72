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
	entryOfTxn = 1 << 6
	entryEnd   = 1 << 7 // of a transaction; its value is the timestamp in decimal
)

// checkLogs compares the logs and tables with the mark, before the engine cuts a damaged
// log off where the damage begins. newest is the newest timestamp in a table. It returns
// the first part in the logs, or the zero part if there is none.
func checkLogs(dir string, logs []string, newest uint64, m mark) (first part, err error) {
	if !m.found || !m.strict {
		return part{}, nil
	}
	slices.SortFunc(logs, func(a, b string) int { return logNumber(a) - logNumber(b) })
	var last part
	for i, name := range logs {
		parts := 0
		err := scanLog(filepath.Join(dir, name), func(p part) error {
			parts++
			switch {
			case first.number == 0 && (p.ts > newest+1 || p.ts == newest+1 && p.number > 1):
				return lostCommits(newest + 1)
			case first.number == 0:
				first = p
			case !p.follows(last):
				return lostCommits(last.ts)
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
	}
	if max(newest, last.ts) < m.ts || last.ts >= newest && last.complete() < m.ts {
		return part{}, lostCommits(max(newest, last.complete()) + 1)
	}
	return first, nil
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
// value; and a CRC-32C of all that.
func scanLog(path string, each func(part) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("storage/badger: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("storage/badger: %w", err)
	}
	if info.Size() <= logHeader {
		return nil
	}
	in := &logReader{from: bufio.NewReaderSize(io.NewSectionReader(f, logHeader, info.Size()-logHeader), tableBuffer)}
	in.left = info.Size() - logHeader
	var open uint64   // the timestamp of the transaction whose entries these are
	var contains part // by its entries so far
	for {
		meta, key, value, ok := in.entry()
		if !ok {
			return in.failed
		}
		switch {
		case meta&entryEnd > 0:
			ts, err := strconv.ParseUint(string(value), 10, 64)
			if err != nil || ts != open || contains.number == 0 {
				return nil
			}
			if err := each(contains); err != nil {
				return err
			}
			open, contains = 0, part{}
		case meta&entryOfTxn > 0 && len(key) >= 8:
			ts := math.MaxUint64 - binary.BigEndian.Uint64(key[len(key)-8:])
			if open != 0 && open != ts {
				return nil
			}
			open = ts
			if p, ok := parsePart(key[:len(key)-8], value, ts); ok {
				contains = p
			}
		default:
			return nil // we write none
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
