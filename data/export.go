package data

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// Export returns a customer and all its resources as a CustomerData. Pushing it creates the same resources again. The
// resources of each kind are in the order of keys. It returns [ErrCustomerNotFound] if there is no such customer.
func (s *Snapshot) Export(ctx context.Context, customerKey string) (CustomerData, error) {
	c, err := s.customer(ctx, customerKey)
	if err != nil {
		return CustomerData{}, err
	}
	d := CustomerData{CustomerKey: c.key, CustomerName: c.name, CustomerTimeZone: c.timeZone}
	for _, row := range kinds {
		for n, err := range s.scanKind(ctx, c, row.kind) {
			if err != nil {
				return CustomerData{}, err
			}
			d.add(n)
		}
	}
	return d, nil
}

// scanPrefixes yields the keys that begin with one of the prefixes, in ascending order. No prefix may begin with another. All
// prefixes are read in one scan. After maxSkippedRows keys without such a prefix, a new scan begins at the next prefix.
func (s *Snapshot) scanPrefixes(ctx context.Context, prefixes [][]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		prefixes := slices.SortedFunc(slices.Values(prefixes), bytes.Compare)
		for rescan := true; rescan && len(prefixes) > 0; {
			rescan = false
			skippedRows := 0
			r := storage.Range{Start: prefixes[0], End: storage.Prefix(prefixes[len(prefixes)-1]).End}
			for e, err := range s.r.Scan(ctx, r, storage.ScanOptions{KeysOnly: true}) {
				if err != nil {
					yield(nil, err)
					return
				}
				for len(prefixes) > 1 && !bytes.HasPrefix(e.Key, prefixes[0]) && bytes.Compare(prefixes[0], e.Key) < 0 {
					prefixes = prefixes[1:]
				}
				if bytes.HasPrefix(e.Key, prefixes[0]) {
					skippedRows = 0
					if !yield(e.Key, nil) {
						return
					}
				} else if skippedRows++; skippedRows == maxSkippedRows {
					rescan = true
					break
				}
			}
		}
	}
}

// scanKind yields a customer's resources of one kind in the order of keys.
func (s *Snapshot) scanKind(ctx context.Context, c *customer, kind Kind) iter.Seq2[*node, error] {
	return func(yield func(*node, error) bool) {
		prefix := layout.ResourcesPrefix(c.id, byte(kind))
		for e, err := range s.r.Scan(ctx, storage.Prefix(prefix), storage.ScanOptions{}) {
			if err != nil {
				yield(nil, err)
				return
			}
			n, err := decodeRecord(c, Ref{kind, string(e.Key[len(prefix):])}, e.Value)
			if !yield(n, err) || err != nil {
				return
			}
		}
	}
}
