package data

import (
	"context"

	"github.com/customerportal-go/customerportal/storage"
)

// CheckEmails is Check that compares at most n e-mail addresses at once.
func CheckEmails(ctx context.Context, store storage.Store, n int) (CheckReport, error) {
	return Open(store, Options{}).check(ctx, n)
}
