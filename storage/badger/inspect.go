package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/customerportal-go/customerportal/storage"
)

// logHeader is the size of the header of the engine's logs.
const logHeader = 20

// inspect looks at the files of dir before the engine does, for damage that makes
// it end the process from one of its goroutines, or delete tables that a damaged
// list no longer names. It returns the size of the table in memory that the logs
// of a crash ask for.
//
// It reads the index and the last block of each table, as the engine will.
func inspect(dir string) (memTable int64, err error) {
	var tables, logs int
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("storage/badger: %w", err)
	}
	for _, file := range files {
		switch filepath.Ext(file.Name()) {
		case ".sst":
			tables++
		case ".mem":
			info, err := file.Info()
			if err != nil {
				return 0, fmt.Errorf("storage/badger: %w", err)
			}
			if size := info.Size(); size > 0 && size < logHeader {
				return 0, corrupt("a log is cut short")
			}
			if info.Size() > logHeader {
				logs++
			}
			// The engine maps twice the size of the table.
			memTable = max(memTable, min(info.Size()/2, maxMemTable))
		}
	}
	listed, err := readManifest(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && tables == 0:
		return memTable, nil // new
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("storage/badger: tables without a MANIFEST: %w", storage.ErrCorrupt)
	case err != nil:
		return 0, err
	}
	// A crash can leave tables that are not listed, which the engine deletes. But the
	// list is only empty before the first table is added to it, from a log that is
	// still there then. Otherwise it has been cut, and nothing may be deleted.
	if len(listed) == 0 && (tables > 1 || tables == 1 && logs == 0) {
		return 0, corrupt("MANIFEST is cut short")
	}
	for id, t := range listed {
		err := checkTable(table.NewFilename(id, dir), t.Compression == options.None && t.KeyID == 0)
		if err != nil {
			return 0, err
		}
	}
	return memTable, nil
}

func readManifest(dir string) (map[uint64]engine.TableManifest, error) {
	f, err := os.Open(filepath.Join(dir, engine.ManifestFilename))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, fmt.Errorf("storage/badger: %w", err)
	}
	defer f.Close()
	var m engine.Manifest
	err = guard("MANIFEST", func() error {
		m, _, err = engine.ReplayManifestFile(f, 0, engine.Options{})
		return err
	})
	switch {
	case err == nil:
		return m.Tables, nil
	case errors.Is(err, storage.ErrCorrupt):
		return nil, err
	default:
		return nil, corrupt("MANIFEST is damaged, or of another version of the engine")
	}
}

// checkTable reads what the engine reads to open a table. From its end backwards,
// a table holds the length of a checksum, the checksum, the length of the index
// and the index, each length in four bytes; the index says where the blocks are.
func checkTable(path string, plain bool) error {
	name := "table " + filepath.Base(path)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return corrupt(name + " is missing")
	}
	if err != nil {
		return fmt.Errorf("storage/badger: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("storage/badger: %w", err)
	}
	return guard(name, func() error {
		tail := &backwards{from: f, pos: info.Size()}
		sum := tail.sized()
		index := tail.sized()
		// The checksum of nothing is zero, so a file of zeros agrees with itself.
		if tail.err != nil || len(index) == 0 || !sumMatches(sum, index) {
			return corrupt(name)
		}
		if !plain {
			return nil // not ours, and refused later
		}
		list := fb.GetRootAsTableIndex(index, 0)
		var last fb.BlockOffset
		if !list.Offsets(&last, list.OffsetsLength()-1) {
			return corrupt(name)
		}
		end := &backwards{from: f, pos: int64(last.Offset()) + int64(last.Len())}
		sum = end.sized()
		block := end.bytes(int64(last.Len()) - 4 - int64(len(sum)))
		if end.err != nil || len(block) == 0 || !sumMatches(sum, block) {
			return corrupt(name)
		}
		return nil
	})
}

// backwards reads a file from pos towards its start.
type backwards struct {
	from io.ReaderAt
	pos  int64
	err  error
}

// sized reads a length and, before it, so many bytes.
func (b *backwards) sized() []byte {
	length := b.bytes(4)
	if b.err != nil {
		return nil
	}
	return b.bytes(int64(binary.BigEndian.Uint32(length)))
}

func (b *backwards) bytes(n int64) []byte {
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
func sumMatches(message, data []byte) bool {
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
