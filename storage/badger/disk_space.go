package badger

import (
	"fmt"
	"os"
	"path/filepath"
)

// space checks the free disk space, because the engine terminates the process if the disk
// is full. Moving data from memory to tables needs a few times the size of the in-memory
// table. A compaction needs as much space as the tables that it reads. That is at most all
// tables, and usually level 0 and the overlapping tables below it.
type space struct {
	dir      string
	fixed    int64 // Options.MinFreeBytes
	memTable int64
	free     func(dir string) (int64, error) // freeBytes, except in tests

	tables   int64 // total bytes of the tables, when last measured
	written  int64 // bytes written since then
	measured bool
}

const (
	tablesInFlight   = 4  // in-memory tables at the same time, with their logs
	compactionTables = 16 // tables in level 0 before the engine stalls, and one more
)

// rowBytesBound returns an upper bound for the size of all rows. The methods of space must
// not be called concurrently.
func (s *space) rowBytesBound() (int64, error) {
	err := s.measure()
	return s.tables + tablesInFlight*s.memTable, err
}

// check returns [ErrDiskFull] if there is not enough free disk space to write the given
// number of bytes. reserve is the number of bytes that must be free in addition to the
// minimum.
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
		return fmt.Errorf("storage/badger: cannot determine the free disk space: %w", err)
	}
	if least += reserve; free < least {
		return fmt.Errorf("%w: %d bytes are free, %d are required", ErrDiskFull, free, least)
	}
	return nil
}

// measure adds up the sizes of the tables.
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
		if info, err := file.Info(); err == nil { // otherwise a compaction has just deleted it
			s.tables += info.Size()
		}
	}
	return nil
}
