package data

import (
	"context"

	"github.com/customerportal-go/customerportal/storage"
)

// CheckEmails is Check with a limit of n e-mail addresses per comparison.
func CheckEmails(ctx context.Context, store storage.Store, n int) (CheckReport, error) {
	return Open(store, Options{}).check(ctx, n)
}
