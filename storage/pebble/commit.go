package pebble

import (
	"errors"
	"fmt"

	engine "github.com/cockroachdb/pebble/v2"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/groupcommit"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// commit applies the writes of a batch to the engine, and waits for their sync in the
// function that it returns. It is the [groupcommit.Apply] of the store.
func (s *Store) commit(writes *overlay.Layer) (groupcommit.Outcome, func() groupcommit.Outcome) {
	if err := s.files.failure(); err != nil { // the engine could not write to a log anymore
		err = fmt.Errorf("%w: %w", ErrHalted, err)
		return groupcommit.Outcome{Err: err, Halted: err}, nil
	}
	if err := s.compactions.await(s.db); errors.Is(err, storage.ErrCorrupt) {
		return groupcommit.Outcome{Err: err, Halted: err}, nil
	} else if err != nil {
		return groupcommit.Outcome{Err: err}, nil
	}
	if err := s.checkSpace(int64(writes.Bytes())); err != nil {
		return groupcommit.Outcome{Err: err}, nil
	}
	b := s.db.NewBatch()
	err := fillBatch(b, writes)
	if err == nil {
		err = b.Set(numberRow, formatNumber(s.number+1), nil)
	}
	if err != nil {
		_ = b.Close()
		return groupcommit.Outcome{Err: sanitizeError("commit", err)}, nil
	}
	if err := s.apply(b); err != nil {
		return s.halt(err), nil
	}
	s.number++
	st := s.states.apply(s.number, s.db.NewSnapshot())
	if !s.sync {
		_ = b.Close() // always nil
		return s.publish(st), nil
	}
	return groupcommit.Outcome{}, func() groupcommit.Outcome {
		err := b.SyncWait()
		if failed := s.files.failure(); failed != nil {
			err = failed // of this sync or an earlier one
		}
		if err != nil {
			s.states.release(st)
			return s.halt(err)
		}
		_ = b.Close() // always nil
		return s.publish(st)
	}
}

// admit returns an error if the writes of an Update are too many for the engine or the disk,
// so that the smaller Updates of the same batch do not fail with it.
func (s *Store) admit(writes *overlay.Layer) error {
	size := int64(writes.Bytes())
	switch {
	case size > s.maxUpdate:
		return fmt.Errorf("storage/pebble: the Update needs %d bytes, the maximum is %d: %w", size, s.maxUpdate, storage.ErrTooLarge)
	case size > groupcommit.DefaultMaxBytes:
		return s.checkSpace(size)
	}
	return nil
}

// checkSpace returns an error if there is not enough free disk space to write the given
// number of bytes.
func (s *Store) checkSpace(size int64) error {
	s.spaceMu.Lock()
	defer s.spaceMu.Unlock()
	return s.space.Check(size, 2*size) // in a log, and in a table that is written once more by a compaction
}

// apply passes a batch to the engine, which panics if it cannot continue. Its locks stay held
// then, so it must not be used for anything but reads.
func (s *Store) apply(b *engine.Batch) (err error) {
	defer func() {
		if recover() != nil {
			s.broken.Store(true)
			err = errBroken
		}
	}()
	if s.sync {
		err = s.db.ApplyNoSyncWait(b, engine.Sync)
	} else {
		err = s.db.Apply(b, engine.NoSync)
	}
	return sanitizeError("commit", err)
}

// publish makes Views read a durable state, and records it in the commit mark. If recording
// fails, Open can detect less corruption, but no data is lost.
func (s *Store) publish(st *state) groupcommit.Outcome {
	if err := s.mark.Record(st.number); err != nil {
		s.logger.Warn("storage/pebble: cannot write the commit mark", "error", err)
	}
	s.states.publish(st)
	return groupcommit.Outcome{}
}

// halt returns the outcome of a batch that may be durable or not.
func (s *Store) halt(err error) groupcommit.Outcome {
	err = sanitizeError("commit", err)
	return groupcommit.Outcome{
		Err:    fmt.Errorf("%w: %w: %w", ErrHalted, storage.ErrUnknown, err),
		Halted: fmt.Errorf("%w: %w", ErrHalted, err),
	}
}
