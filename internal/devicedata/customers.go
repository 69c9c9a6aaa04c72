package devicedata

import (
	"context"
	"errors"
	"iter"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// Customers yields the customers of the workspace that have connected accounts, in the order of their keys, and begins with the
// first key that is not less than from. It reads three rows for each customer of the workspace, in batches.
func Customers(ctx context.Context, s *data.Snapshot, workspace uuid.UUID, from string) iter.Seq2[data.Customer, error] {
	return customers(ctx, s, workspace, from, func(n Counts) bool { return n.Accounts > 0 })
}

// CustomersWithRows is Customers for the customers that have or had accounts, devices, access codes or PINs.
func CustomersWithRows(ctx context.Context, s *data.Snapshot, workspace uuid.UUID) iter.Seq2[data.Customer, error] {
	return customers(ctx, s, workspace, "", func(n Counts) bool { return n.Writes > 0 })
}

// customers yields the customers of the workspace whose counts match.
func customers(ctx context.Context, s *data.Snapshot, workspace uuid.UUID, from string, match func(Counts) bool) iter.Seq2[data.Customer, error] {
	rows := storage.Prefix(layout.CustomerIndexPrefix(workspace))
	rows.Start = layout.CustomerIndex(workspace, from)
	decode := func(e storage.Entry) (CustomerID, error) {
		if _, err := layout.ParseAs(layout.ShapeCustomerIndex, e.Key); err != nil {
			return CustomerID{}, err
		}
		d := layout.NewDecoder(e.Value)
		id := d.CustomerID()
		return id, d.Err()
	}
	return inBatches(ctx, s.Reader(), rows, storage.ScanOptions{}, decode, func(ids []CustomerID) (customers []data.Customer, err error) {
		var keys [][]byte
		for _, id := range ids {
			keys = append(keys, layout.CustomerRow(id), layout.DeviceCounts(id))
		}
		found, err := s.Reader().Get(ctx, keys...)
		if err != nil {
			return nil, err
		}
		for i, id := range ids {
			counts, err := devicerow.DecodeCounts(found[2*i+1])
			if err != nil {
				return customers, err
			}
			if !match(counts) {
				continue
			}
			customer, err := storedOf(s, id, found[2*i])
			switch {
			case errors.Is(err, data.ErrCustomerNotFound): // it is being deleted
			case err != nil:
				return customers, err
			default:
				customers = append(customers, customer)
			}
		}
		return customers, nil
	})
}
