package data_test

import (
	"context"
	"sync/atomic"

	"github.com/customerportal-go/customerportal/storage"
)

// hooked is a store that calls afterUpdate after each Update with the number of Updates so far, and afterView after its next
// View.
type hooked struct {
	storage.Store
	updates     atomic.Int64
	failed      atomic.Int64 // number of Updates that failed
	afterUpdate func(n int64)
	afterView   func()
}

func (h *hooked) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	err := h.Store.Update(ctx, fn, reads...)
	if err != nil {
		h.failed.Add(1)
	}
	if n := h.updates.Add(1); h.afterUpdate != nil {
		h.afterUpdate(n)
	}
	return err
}

func (h *hooked) View(ctx context.Context, fn func(storage.Reader) error) error {
	err := h.Store.View(ctx, fn)
	if then := h.afterView; then != nil {
		h.afterView = nil
		then()
	}
	return err
}
