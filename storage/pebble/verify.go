package pebble

import (
	"context"

	"github.com/customerportal-go/customerportal/storage"
)

// VerifyChecksum reads every row that a View can see, and returns an error that matches
// [storage.ErrCorrupt] if a row differs from the data that was written. It takes as long as
// reading the whole directory, and blocks no other calls.
func (s *Store) VerifyChecksum(ctx context.Context) error {
	return s.View(ctx, func(r storage.Reader) error {
		for _, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
		}
		return nil
	})
}
