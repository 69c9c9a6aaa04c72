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

// tableBuffer is how much of a table is read at once.
const tableBuffer = 1 << 20

// checkTables verifies every checksum of every table, several at a time. A block that
// is not what was written makes a compaction of the engine panic, in a goroutine where
// nobody can catch it, or drop the rest of its table without a word. So no block may
// reach one unread. It returns the newest timestamp in them.
//
// With skim only the index and the last block are read, as the engine will do.
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

// checkTable reads a table. From its end backwards, it holds the length of a checksum,
// the checksum, the length of the index and the index, each length in four bytes; the
// index says where the blocks are, which follow one another from the start. A block
// ends with its checksum, and the length of that in four bytes. It returns the newest
// timestamp in the table.
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
		sum := tail.lengthPrefixed()
		index := tail.lengthPrefixed()
		// The checksum of nothing is zero, so a file of zeros agrees with itself.
		if tail.err != nil || len(index) == 0 || !checksumMatches(sum, index) {
			return corrupt(name)
		}
		if !plain {
			return nil // not ours, and refused later
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
				return fmt.Errorf("reading a table: %w", err)
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

// blockMatches is whether a block is what its own checksum says.
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

// backwards reads a file from pos towards its start.
type reverseReader struct {
	from io.ReaderAt
	pos  int64
	err  error
}

// sized reads a length and, before it, so many bytes.
func (b *reverseReader) lengthPrefixed() []byte {
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

// sumMatches compares data with the engine's checksum message: field 1 is the
// algorithm, left out for CRC-32C, and field 2 the sum, both varints.
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
			return false // no version of the engine that we open writes another
		}
	}
	return sum == uint64(crc32.Checksum(data, castagnoli))
}
