package devicerow

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// CodeKey identifies an access code of a customer.
type CodeKey struct{ Device, Code uuid.UUID }

// ReadCounts reads the counts of a customer.
func ReadCounts(ctx context.Context, r storage.Reader, c layout.CustomerID) (Counts, error) {
	rows, err := r.Get(ctx, layout.DeviceCounts(c))
	if err != nil {
		return Counts{}, err
	}
	return DecodeCounts(rows[0])
}

// ReadAccounts reads accounts of a customer in one call. An account is nil if it does not exist.
func ReadAccounts(ctx context.Context, r storage.Reader, c layout.CustomerID, ids []uuid.UUID) ([]*Account, error) {
	return read(ctx, r, ids,
		func(id uuid.UUID) []byte { return layout.Account(c, id) },
		func(id uuid.UUID, b []byte) (*Account, error) { return DecodeAccount(c, id, b) })
}

// ReadDevices reads devices of a customer in one call. A device is nil if it does not exist.
func ReadDevices(ctx context.Context, r storage.Reader, c layout.CustomerID, ids []uuid.UUID) ([]*Device, error) {
	return read(ctx, r, ids,
		func(id uuid.UUID) []byte { return layout.Device(c, id) },
		func(id uuid.UUID, b []byte) (*Device, error) { return DecodeDevice(c, id, b) })
}

// ReadStates reads the states of devices of a customer in one call. A state is nil if the device has not reported one.
func ReadStates(ctx context.Context, r storage.Reader, c layout.CustomerID, devices []uuid.UUID) ([]*State, error) {
	return read(ctx, r, devices, func(id uuid.UUID) []byte { return layout.DeviceState(c, id) }, DecodeState)
}

// ReadCodes reads access codes of a customer in one call. A code is nil if it does not exist.
func ReadCodes(ctx context.Context, r storage.Reader, c layout.CustomerID, keys []CodeKey) ([]*Code, error) {
	return read(ctx, r, keys,
		func(k CodeKey) []byte { return layout.Code(c, k.Device, k.Code) },
		func(k CodeKey, b []byte) (*Code, error) { return DecodeCode(c, k.Device, k.Code, b) })
}

// read reads rows in one call and decodes them. An element is nil if its row does not exist.
func read[ID, T any](ctx context.Context, r storage.Reader, ids []ID, key func(ID) []byte, decode func(ID, []byte) (*T, error)) ([]*T, error) {
	out := make([]*T, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	keys := make([][]byte, len(ids))
	for i, id := range ids {
		keys[i] = key(id)
	}
	rows, err := r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		if row != nil {
			if out[i], err = decode(ids[i], row); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
