// Package diskspace checks the free disk space before an engine writes, because an engine
// terminates the process or blocks if the disk is full.
package diskspace

import (
	"fmt"
	"os"
	"path/filepath"
)

// Space checks the free disk space. Moving data from memory to tables needs a few times the
// size of the in-memory table. A compaction needs as much space as the tables that it reads.
// That is at most all tables, and usually level 0 and the overlapping tables below it.
//
// The methods must not be called concurrently.
type Space struct {
	Backend  string // begins error messages
	ErrFull  error  // returned, with the numbers of bytes, if there is not enough space
	Fixed    int64  // minimum of free bytes; 0 means that it is calculated, and -1 that nothing is checked
	MemTable int64  // size of an in-memory table

	Free          func() (int64, error) // returns the free space
	MeasureTables func() (int64, error) // returns the total size of the tables

	Tables int64 // total bytes of the tables, when last measured

	written  int64 // bytes written since then
	measured bool
}

const (
	tablesInFlight   = 4  // in-memory tables at the same time, with their logs
	compactionTables = 16 // tables in level 0 before the engine stalls, and one more
)

// RowBytesBound returns an upper bound for the size of all rows.
func (s *Space) RowBytesBound() (int64, error) {
	err := s.Measure()
	return s.Tables + tablesInFlight*s.MemTable, err
}

// Minimum returns the calculated minimum of free bytes.
func (s *Space) Minimum() int64 {
	return tablesInFlight*s.MemTable + min(s.Tables, compactionTables*s.MemTable)
}

// Check returns ErrFull if there is not enough free disk space to write the given
// number of bytes. reserve is the number of bytes that must be free in addition to the
// minimum.
func (s *Space) Check(bytes, reserve int64) error {
	if s.Fixed < 0 {
		return nil
	}
	least := s.Fixed
	if least == 0 {
		s.written += bytes
		if !s.measured || s.written > s.MemTable/4 {
			if err := s.Measure(); err != nil {
				return err
			}
		}
		least = s.Minimum()
	}
	free, err := s.Free()
	if err != nil {
		return fmt.Errorf("%s: cannot determine the free disk space: %w", s.Backend, err)
	}
	if least += reserve; free < least {
		return fmt.Errorf("%w: %d bytes are free, %d are required", s.ErrFull, free, least)
	}
	return nil
}

// Measure measures the tables.
func (s *Space) Measure() (err error) {
	s.written, s.measured = 0, true
	s.Tables, err = s.MeasureTables()
	if err != nil {
		return fmt.Errorf("%s: %w", s.Backend, err)
	}
	return nil
}

// TableBytes returns the total size of the files in dir with the extension .sst.
func TableBytes(dir string) (total int64, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		if filepath.Ext(file.Name()) != ".sst" {
			continue
		}
		if info, err := file.Info(); err == nil { // otherwise a compaction has just deleted it
			total += info.Size()
		}
	}
	return total, nil
}
