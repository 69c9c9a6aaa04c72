package badger

import (
	"fmt"
	"os"
	"path/filepath"
)

// space is the room on the disk, without which the engine would end the process. What
// is on its way from memory to tables needs a few times the size of the table in memory;
// a compaction needs again what it reads, which is at most all tables, and in practice
// the youngest level and what lies below it.
type space struct {
	dir      string
	fixed    int64 // Options.MinFreeBytes
	memTable int64
	free     func(dir string) (int64, error) // freeBytes, and something else in tests

	tables   int64 // bytes, when last looked at
	written  int64 // since then
	measured bool
}

const (
	tablesInFlight   = 4  // in memory at once, with their logs
	compactionTables = 16 // that the engine lets the youngest level grow to, and one more
)

// all returns an upper bound of the bytes of all rows. Only one goroutine may call the
// methods of space at a time.
func (s *space) rowBytesBound() (int64, error) {
	err := s.measure()
	return s.tables + tablesInFlight*s.memTable, err
}

// check returns [ErrDiskFull] if too little of the disk is free to write so many bytes.
// reserve is the number of bytes that must be free beyond the minimum.
func (s *space) check(bytes, reserve int64) error {
	if s.fixed < 0 {
		return nil
	}
	least := s.fixed
	if least == 0 {
		s.written += bytes
		if !s.measured || s.written > s.memTable/4 {
			if err := s.measure(); err != nil {
				return err
			}
		}
		least = tablesInFlight*s.memTable + min(s.tables, compactionTables*s.memTable)
	}
	free, err := s.free(s.dir)
	if err != nil {
		return fmt.Errorf("storage/badger: how much of the disk is free: %w", err)
	}
	if least += reserve; free < least {
		return fmt.Errorf("%w: %d bytes are free, and %d are needed", ErrDiskFull, free, least)
	}
	return nil
}

// look adds the tables up.
func (s *space) measure() error {
	s.tables, s.written, s.measured = 0, 0, true
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("storage/badger: %w", err)
	}
	for _, file := range files {
		if filepath.Ext(file.Name()) != ".sst" {
			continue
		}
		if info, err := file.Info(); err == nil { // else a compaction has just dropped it
			s.tables += info.Size()
		}
	}
	return nil
}
