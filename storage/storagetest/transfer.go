package storagetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// transferTest transfers money between accounts on several goroutines, creating and
// deleting accounts, while other goroutines check the total.
func transferTest(t *testing.T, s storage.Store) {
	const accounts, opening, writers, viewers, each = 16, 100, 3, 2, 60
	entries := map[string]string{}
	for i := range accounts / 2 {
		entries[account(i)] = strconv.Itoa(opening)
	}
	total := len(entries) * opening
	fill(t, s, entries)

	seed := seedOf(t)
	ctx := testContext(t)
	var working atomic.Int32
	working.Store(writers)
	runConcurrently(t, writers+viewers, func(i int) error {
		if i >= writers {
			for working.Load() > 0 {
				if err := s.View(ctx, func(r storage.Reader) error { return checkSum(ctx, r, total) }); err != nil {
					return err
				}
			}
			return nil
		}
		defer working.Add(-1)
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		for range each {
			from, to, amount, undo := account(rng.IntN(accounts)), account(rng.IntN(accounts)), rng.IntN(opening), rng.IntN(5) == 0
			err := storage.Run(ctx, s, func(tx storage.Tx) error {
				if err := checkSum(ctx, tx, total); err != nil {
					return err
				}
				if err := transfer(ctx, tx, from, to, amount); err != nil {
					return err
				}
				if undo {
					return errRollback
				}
				return checkSum(ctx, tx, total)
			})
			if undo && errors.Is(err, errRollback) {
				continue
			}
			if _, err := committed(err); err != nil {
				return fmt.Errorf("%s=%d: %w", seedVariable, seed, err)
			}
		}
		return nil
	})
	view(t, s, func(ctx context.Context, r storage.Reader) {
		require.NoError(t, checkSum(ctx, r, total), "the sum of all accounts in the end")
	})
}

func account(i int) string { return fmt.Sprintf("account/%02d", i) }

// transfer moves up to amount. An account with a balance of 0 is deleted.
func transfer(ctx context.Context, tx storage.Tx, from, to string, amount int) error {
	has, err := number(ctx, tx, from)
	if err != nil || has == 0 {
		return err
	}
	amount = min(amount, has)
	if err := add(ctx, tx, from, -amount); err != nil {
		return err
	}
	if err := add(ctx, tx, to, amount); err != nil {
		return err
	}
	if left, err := number(ctx, tx, from); err != nil || left > 0 {
		return err
	}
	return tx.Delete([]byte(from))
}

// checkSum adds up all accounts, once with Scan and once with Get.
func checkSum(ctx context.Context, r storage.Reader, want int) error {
	scanned, keys := 0, [][]byte{}
	for e, err := range r.Scan(ctx, storage.Prefix([]byte("account/")), storage.ScanOptions{}) {
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(e.Value))
		if err != nil {
			return err
		}
		scanned += n
		keys = append(keys, e.Key)
	}
	values, err := r.Get(ctx, keys...)
	if err != nil {
		return err
	}
	got := 0
	for _, v := range values {
		n, err := strconv.Atoi(string(v))
		if err != nil {
			return err
		}
		got += n
	}
	if scanned != want || got != want {
		return fmt.Errorf("sum of all accounts: %d by Scan and %d by Get, expected %d", scanned, got, want)
	}
	return nil
}
