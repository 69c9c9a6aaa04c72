package badger

import (
	"errors"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/storage/internal/overlay"
	"github.com/customerportal-go/customerportal/storage/internal/transaction"
)

// entriesPerCheck is the number of entries after which a long read checks its context again.
const entriesPerCheck = 64

// state is the durable state at a snapshot.
type state struct {
	store *Store
	snap  *snapshot
	txn   *engine.Txn
}

var _ transaction.Snapshot = state{}

func (s *Store) stateAt(snap *snapshot) state {
	return state{store: s, snap: snap, txn: s.db.NewTransactionAt(snap.ts, false)}
}

// Get implements [transaction.Snapshot].
func (s state) Get(key []byte) (value []byte, err error) {
	row := dataRow(key)
	err = catchPanic("get", func() error {
		item, err := s.txn.Get(row)
		if errors.Is(err, engine.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return item.Value(func(sealed []byte) error {
			found, err := unseal(row, sealed)
			if err == nil {
				value = clone(found)
			}
			return err
		})
	})
	return value, s.store.readError(err)
}

// Rows implements [transaction.Snapshot].
func (s state) Rows(span overlay.Span) (transaction.Rows, error) {
	rows, err := newRowSource(s.txn, span)
	if err != nil {
		return nil, s.store.readError(err)
	}
	return rows, nil
}

// Close implements [transaction.Snapshot].
func (s state) Close() {
	// The engine panics here if an iterator could not be closed. It holds no other
	// resources.
	_ = catchPanic("end transaction", func() error {
		s.txn.Discard()
		return nil
	})
	s.store.snaps.release(s.snap)
}
