package storage

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// A backup is a line that says what it is, and chunks: the length of the payload and
// its CRC-32C, in four bytes each, and the payload. That is rows, each a key and a
// value with their lengths before them. An empty chunk is the end; after it come the
// number of rows, in eight bytes, and the SHA-256 of all that came before.
const (
	backupMagic      = "customerportal backup 1\n"
	chunkBytes       = 256 << 10 // of a payload, unless one row is longer
	maxChunkBytes    = 1 << 30
	chunkHeaderBytes = 4 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Backup writes every row of a store to w, and says how many there are. It reads one
// snapshot: Updates go on meanwhile and are not in it. A w that is slow keeps that
// snapshot open, and on disk what is deleted meanwhile.
//
// What was deleted before is not in a backup, what is deleted later still is.
func Backup(ctx context.Context, s Store, w io.Writer) (rows int64, err error) {
	b := &backupWriter{to: w, sum: sha256.New()}
	err = s.View(ctx, func(r Reader) error {
		if err := b.write([]byte(backupMagic)); err != nil {
			return err
		}
		for e, err := range r.Scan(ctx, Range{}, ScanOptions{}) {
			if err != nil {
				return err
			}
			if err := b.row(e); err != nil {
				return err
			}
		}
		return b.end()
	})
	return b.rows, err
}

type backupWriter struct {
	to    io.Writer
	sum   hash.Hash
	chunk []byte // the payload that gathers
	rows  int64
}

func (b *backupWriter) write(p []byte) error {
	b.sum.Write(p)
	if _, err := b.to.Write(p); err != nil {
		return fmt.Errorf("storage: writing a backup: %w", err)
	}
	return nil
}

func (b *backupWriter) row(e Entry) error {
	b.rows++
	for _, part := range [][]byte{e.Key, e.Value} {
		b.chunk = binary.AppendUvarint(b.chunk, uint64(len(part)))
		b.chunk = append(b.chunk, part...)
	}
	if len(b.chunk) < chunkBytes {
		return nil
	}
	return b.flush()
}

func (b *backupWriter) flush() error {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(b.chunk)))
	head = binary.BigEndian.AppendUint32(head, crc32.Checksum(b.chunk, castagnoli))
	err := b.write(head)
	if err == nil {
		err = b.write(b.chunk)
	}
	b.chunk = b.chunk[:0]
	return err
}

func (b *backupWriter) end() error {
	if len(b.chunk) > 0 {
		if err := b.flush(); err != nil {
			return err
		}
	}
	if err := b.flush(); err != nil {
		return err
	}
	if err := b.write(binary.BigEndian.AppendUint64(nil, uint64(b.rows))); err != nil {
		return err
	}
	return b.write(b.sum.Sum(nil))
}

// Restore fills an empty store with what [Backup] wrote, and says how many rows that
// is. It returns [ErrNotEmpty] where the store holds anything, and an error that
// matches [ErrCorrupt] where the backup is not whole and unchanged, to its last byte;
// the store is then empty again. A row longer than the store takes is [ErrTooLarge].
//
// It takes many transactions. Until it returns nil nothing else may use the store, and
// after a crash the store holds a part, which is good for nothing: make it anew. For a
// directory of Badger there is a Restore beside its Open that has no such state.
func Restore(ctx context.Context, s Store, input io.Reader) (rows int64, err error) {
	err = s.View(ctx, func(r Reader) error {
		for _, err := range r.Scan(ctx, Range{}, ScanOptions{Limit: 1, KeysOnly: true}) {
			return errors.Join(err, ErrNotEmpty)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	b := &backupReader{input: bufio.NewReaderSize(input, chunkBytes), sum: sha256.New(), store: s}
	if err := b.read(ctx); err != nil {
		return 0, errors.Join(err, deleteAll(context.WithoutCancel(ctx), s))
	}
	return b.rows, nil
}

// A restore writes and deletes in transactions of at most so many rows, and of at most
// so many bytes unless one row is longer: other Updates do not have to wait long, and
// the memory that it needs is bounded.
const (
	restoreRows  = 5_000
	restoreBytes = 4 << 20
)

// empty deletes every row.
func deleteAll(ctx context.Context, s Store) error {
	remaining := Range{}
	for {
		var next []byte // the first row that is left, or nil
		err := Run(ctx, s, func(tx Tx) error {
			next = nil
			writes, bytes := restoreRows, restoreBytes
			for e, err := range tx.Scan(ctx, remaining, ScanOptions{KeysOnly: true}) {
				if err != nil {
					return err
				}
				bytes -= EntryBytes(e.Key, nil)
				if writes < restoreRows && (writes == 0 || bytes < 0) {
					next = e.Key
					return nil
				}
				writes--
				if err := tx.Delete(e.Key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("storage: deleting the rows of an incomplete restore: %w", err)
		}
		if next == nil {
			return nil
		}
		remaining.Start = next
	}
}

type backupReader struct {
	input *bufio.Reader
	sum   hash.Hash
	store Store
	rows  int64
}

func (b *backupReader) read(ctx context.Context) error {
	magic, err := b.next(len(backupMagic))
	if err != nil {
		return err
	}
	if string(magic) != backupMagic {
		return corruptBackup("it is none, or of another version")
	}
	for {
		head, err := b.next(chunkHeaderBytes)
		if err != nil {
			return err
		}
		length := binary.BigEndian.Uint32(head)
		if length > maxChunkBytes {
			return corruptBackup("a chunk")
		}
		chunk, err := b.next(int(length))
		if err != nil {
			return err
		}
		if binary.BigEndian.Uint32(head[4:]) != crc32.Checksum(chunk, castagnoli) {
			return corruptBackup("a chunk")
		}
		if length == 0 {
			return b.end()
		}
		entries, err := parseChunk(chunk)
		if err != nil {
			return err
		}
		if err := b.put(ctx, entries); err != nil {
			return err
		}
	}
}

func (b *backupReader) end() error {
	count, err := b.next(8)
	if err != nil {
		return err
	}
	want := b.sum.Sum(nil)
	sum, err := b.next(len(want))
	if err != nil {
		return err
	}
	if binary.BigEndian.Uint64(count) != uint64(b.rows) || string(sum) != string(want) {
		return corruptBackup("its end does not match its rows")
	}
	switch _, err := b.input.ReadByte(); {
	case err == nil:
		return corruptBackup("there is more after its end")
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("storage: reading a backup: %w", err)
	}
	return nil
}

// take reads n bytes. It holds no more than twice what there is of them.
func (b *backupReader) next(n int) ([]byte, error) {
	var out []byte
	for len(out) < n {
		at := len(out)
		out = append(out, make([]byte, min(n-at, max(chunkBytes, at)))...)
		switch _, err := io.ReadFull(b.input, out[at:]); {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil, corruptBackup("it is cut short")
		case err != nil:
			return nil, fmt.Errorf("storage: reading a backup: %w", err)
		}
	}
	b.sum.Write(out)
	return out, nil
}

func parseChunk(chunk []byte) (entries []Entry, err error) {
	part := func() []byte {
		length, n := binary.Uvarint(chunk)
		if n <= 0 || length > uint64(len(chunk)-n) {
			err = corruptBackup("a row")
			chunk = nil
			return nil
		}
		p := chunk[n : n+int(length)]
		chunk = chunk[n+int(length):]
		return p
	}
	for len(chunk) > 0 {
		entries = append(entries, Entry{Key: part(), Value: part()})
	}
	return entries, err
}

// put writes entries, in as many transactions as are needed.
func (b *backupReader) put(ctx context.Context, entries []Entry) error {
	for len(entries) > 0 {
		n, bytes := 0, 0
		for n < min(len(entries), restoreRows) {
			bytes += EntryBytes(entries[n].Key, entries[n].Value)
			if bytes > restoreBytes && n > 0 {
				break
			}
			n++
		}
		err := Run(ctx, b.store, func(tx Tx) error {
			for _, e := range entries[:n] {
				if err := tx.Put(e.Key, e.Value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		b.rows += int64(n)
		entries = entries[n:]
	}
	return nil
}

func corruptBackup(what string) error { return fmt.Errorf("%w: a backup: %s", ErrCorrupt, what) }
