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

// A backup consists of a header line and a sequence of chunks. A chunk is the length of its
// payload and the CRC-32C of the payload, four bytes each, followed by the payload. The
// payload contains rows; each is a key and a value, both prefixed with their length. An
// empty chunk marks the end. It is followed by the number of rows in eight bytes, and the
// SHA-256 of everything before it.
const (
	backupMagic      = "customerportal backup 1\n"
	chunkBytes       = 256 << 10 // size of a payload, unless a single row is longer
	maxChunkBytes    = 1 << 30
	chunkHeaderBytes = 4 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Backup writes every row of a store to w and returns the number of rows. It reads one
// snapshot; Updates can run at the same time and are not included. The snapshot stays open
// until all rows are written to w. Until then the store cannot reclaim the space of rows
// that are deleted meanwhile.
//
// A backup does not contain rows that were deleted before it. Rows that are deleted later remain in
// it, so delete old backups too if data must be erased.
func Backup(ctx context.Context, s Store, w io.Writer) (rows int64, err error) {
	b := &backupWriter{to: w, sum: sha256.New()}
	err = s.View(ctx, func(r Reader) error {
		// The first read takes the snapshot. It comes before the first byte, after which Updates are not included.
		if _, err := r.Get(ctx, []byte{}); err != nil {
			return err
		}
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
	chunk []byte // the payload that is being filled
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

// Restore writes the rows of a [Backup] to an empty store and returns their number. It
// returns [ErrNotEmpty] if the store contains data. If the backup is incomplete or was
// modified, the error matches [ErrCorrupt]. If a row exceeds the limits of the store, the
// error matches [ErrTooLarge]. After an error Restore deletes the rows that it has written.
//
// Restore uses many transactions. Until it returns nil, nothing else may use the store.
// After a crash the store contains a part of the rows and must be created again. The
// Restore of the badger package avoids this by renaming a complete directory.
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

// A restore writes and deletes in transactions of at most restoreRows rows and restoreBytes
// bytes (or a single row if that is longer), so that other Updates do not wait long and
// memory use is bounded.
const (
	restoreRows  = 5_000
	restoreBytes = 4 << 20
)

// deleteAll deletes every row of s.
func deleteAll(ctx context.Context, s Store) error {
	remaining := Range{}
	for {
		var next []byte // the first row that was not deleted, or nil
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
			return fmt.Errorf("storage: cannot delete the rows of a failed restore; create the store again: %w", err)
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
		return corruptBackup("not a backup, or a backup of an unsupported version")
	}
	for {
		head, err := b.next(chunkHeaderBytes)
		if err != nil {
			return err
		}
		length := binary.BigEndian.Uint32(head)
		if length > maxChunkBytes {
			return corruptBackup("a chunk is too long")
		}
		chunk, err := b.next(int(length))
		if err != nil {
			return err
		}
		if binary.BigEndian.Uint32(head[4:]) != crc32.Checksum(chunk, castagnoli) {
			return corruptBackup("a chunk does not match its checksum")
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
		return corruptBackup("the number of rows or the checksum does not match")
	}
	switch _, err := b.input.ReadByte(); {
	case err == nil:
		return corruptBackup("unexpected data after the end")
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("storage: reading a backup: %w", err)
	}
	return nil
}

// next reads n bytes. It allocates at most twice the number of bytes that the input has.
func (b *backupReader) next(n int) ([]byte, error) {
	var out []byte
	for len(out) < n {
		at := len(out)
		out = append(out, make([]byte, min(n-at, max(chunkBytes, at)))...)
		switch _, err := io.ReadFull(b.input, out[at:]); {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil, corruptBackup("unexpected end of file")
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
			err = corruptBackup("a row has an invalid length")
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

// put writes entries in as many transactions as needed.
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

func corruptBackup(reason string) error { return fmt.Errorf("%w: backup: %s", ErrCorrupt, reason) }
