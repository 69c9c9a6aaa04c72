package lease

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/customerportal-go/customerportal/storage"
)

// row is the stored state of a lease. The zero row means that no process holds the lease; it is not stored.
type row struct {
	token    [16]byte // random for each acquisition
	counter  uint64   // incremented by each renewal
	duration time.Duration
}

const rowBytes = 16 + 8 + 8

func (r row) held() bool { return r != row{} }

func (r row) encode() []byte {
	b := make([]byte, 0, rowBytes)
	b = append(b, r.token[:]...)
	b = binary.BigEndian.AppendUint64(b, r.counter)
	return binary.BigEndian.AppendUint64(b, uint64(r.duration))
}

// decodeRow returns the zero row for nil, the value of an absent row.
func decodeRow(b []byte) (row, error) {
	if b == nil {
		return row{}, nil
	}
	if len(b) != rowBytes {
		return row{}, fmt.Errorf("%w: a lease of %d bytes", storage.ErrCorrupt, len(b))
	}
	return row{
		token:    [16]byte(b),
		counter:  binary.BigEndian.Uint64(b[16:]),
		duration: time.Duration(binary.BigEndian.Uint64(b[24:])),
	}, nil
}

func readRow(ctx context.Context, r storage.Reader, key []byte) (row, error) {
	values, err := r.Get(ctx, key)
	if err != nil {
		return row{}, err
	}
	return decodeRow(values[0])
}
