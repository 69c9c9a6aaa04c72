package badger

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
)

// tableBuffer is the size of the read buffer for tables and logs.
const tableBuffer = 1 << 20

// checkTables verifies every checksum of every table, several tables at a time, and returns
// the newest timestamp in them. A corrupt block makes a compaction panic in a goroutine of
// the engine, where the panic cannot be recovered, or silently drop the rest of its table.
// So every block must be verified before the engine compacts it.
//
// If indexOnly is set, only the index and the last block of each table are read. The engine
// reads these as well.
func checkTables(dir string, listed map[uint64]engine.TableManifest, indexOnly bool) (newest uint64, err error) {
	todo := make(chan uint64)
	stop := make(chan struct{})
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	for range min(runtime.GOMAXPROCS(0), 4, len(listed)) {
		all.Go(func() {
			for id := range todo {
				plain := listed[id].Compression == options.None && listed[id].KeyID == 0
				ts, err := checkTable(table.NewFilename(id, dir), plain, indexOnly)
				mu.Lock()
				newest = max(newest, ts)
				if err != nil && first == nil {
					first = err
					close(stop)
				}
				mu.Unlock()
			}
		})
	}
feed:
	for id := range listed {
		select {
		case todo <- id:
		case <-stop:
			break feed
		}
	}
	close(todo)
	all.Wait()
	return newest, first
}

// checkTable verifies a table and returns its newest timestamp. A table ends with its
// index, the length of the index, a checksum of the index, and the length of the checksum;
// both lengths have four bytes. The index contains the offsets of the blocks, which are
// stored one after another from the start of the file. A block ends with its checksum and
// the length of the checksum in four bytes.
func checkTable(path string, plain, indexOnly bool) (newest uint64, err error) {
	name := "table " + filepath.Base(path)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, corrupt(name + " is missing")
	}
	if err != nil {
		return 0, fmt.Errorf("storage/badger: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("storage/badger: %w", err)
	}
	err = catchPanic(name, func() error {
		tail := &reverseReader{from: f, pos: info.Size()}
		sum := tail.readSized()
		index := tail.readSized()
		// An empty index has the checksum 0, so a file of zeros would be valid.
		if tail.err != nil || len(index) == 0 || !checksumMatches(sum, index) {
			return corrupt(name)
		}
		if !plain {
			return nil // not written by this package, and rejected later
		}
		list := fb.GetRootAsTableIndex(index, 0)
		newest = list.MaxVersion()
		if list.OffsetsLength() == 0 {
			return corrupt(name)
		}
		var at fb.BlockOffset
		var pos int64
		var block []byte
		first := 0
		if indexOnly && list.Offsets(&at, list.OffsetsLength()-1) {
			first, pos = list.OffsetsLength()-1, int64(at.Offset())
		}
		blocks := bufio.NewReaderSize(io.NewSectionReader(f, pos, tail.pos-pos), tableBuffer)
		for i := first; i < list.OffsetsLength(); i++ {
			if !list.Offsets(&at, i) || int64(at.Offset()) != pos || int64(at.Len()) > tail.pos-pos {
				return corrupt(name)
			}
			block = slices.Grow(block[:0], int(at.Len()))[:at.Len()]
			if _, err := io.ReadFull(blocks, block); err != nil {
				return fmt.Errorf("cannot read table: %w", err)
			}
			if !blockValid(block) {
				return corrupt(name)
			}
			pos += int64(at.Len())
		}
		if pos != tail.pos {
			return corrupt(name)
		}
		return nil
	})
	return newest, err
}

// blockValid reports whether a block matches its checksum.
func blockValid(block []byte) bool {
	end := len(block) - 4
	if end < 0 {
		return false
	}
	length := binary.BigEndian.Uint32(block[end:])
	if length > math.MaxInt32 || int(length) >= end {
		return false
	}
	end -= int(length)
	return checksumMatches(block[end:len(block)-4], block[:end])
}

// reverseReader reads a file backwards from pos.
type reverseReader struct {
	from io.ReaderAt
	pos  int64
	err  error
}

// readSized reads a length, and as many bytes that are stored before it.
func (b *reverseReader) readSized() []byte {
	length := b.bytes(4)
	if b.err != nil {
		return nil
	}
	return b.bytes(int64(binary.BigEndian.Uint32(length)))
}

func (b *reverseReader) bytes(n int64) []byte {
	if b.err == nil && (n < 0 || n > b.pos) {
		b.err = io.ErrUnexpectedEOF
	}
	if b.err != nil {
		return nil
	}
	b.pos -= n
	data := make([]byte, n)
	_, b.err = b.from.ReadAt(data, b.pos)
	return data
}

// checksumMatches compares data with a checksum message of the engine: field 1 is the
// algorithm, omitted for CRC-32C, and field 2 is the checksum. Both are varints.
func checksumMatches(message, data []byte) bool {
	var sum uint64
	for len(message) > 0 {
		field := message[0]
		n, size := binary.Uvarint(message[1:])
		if size <= 0 {
			return false
		}
		message = message[1+size:]
		switch {
		case field == 2<<3:
			sum = n
		case field == 1<<3 && n != 0:
			return false // the supported versions of the engine only use CRC-32C
		}
	}
	return sum == uint64(crc32.Checksum(data, castagnoli))
}
