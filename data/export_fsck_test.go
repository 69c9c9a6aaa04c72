package data

import (
	"context"

	"github.com/customerportal-go/customerportal/storage"
)

// VerifyEmails is VerifyStore with a limit of n e-mail addresses per comparison.
func VerifyEmails(ctx context.Context, store storage.Store, n int) (VerifyReport, error) {
	return Open(store, Options{}).verifyStore(ctx, n)
}
