package data_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
)

// benchmark runs a benchmark on an empty workspace of every backend.
func benchmark(b *testing.B, run func(b *testing.B, ctx context.Context, ws *data.Workspace)) {
	backends.Benchmark(b, func(b *testing.B, store storage.Store) { run(b, b.Context(), workspace(store)) })
}

func BenchmarkPush_1000NewResources(b *testing.B) {
	benchmark(b, func(b *testing.B, ctx context.Context, ws *data.Workspace) {
		for i := 0; b.Loop(); i++ {
			_, err := ws.Push(ctx, block("acme", fmt.Sprint(i, "-"), 333))
			require.NoError(b, err)
		}
	})
}

func BenchmarkPush_1000UnchangedResources(b *testing.B) {
	benchmark(b, func(b *testing.B, ctx context.Context, ws *data.Workspace) {
		d := block("acme", "", 333)
		_, err := ws.Push(ctx, d)
		require.NoError(b, err)
		for b.Loop() {
			_, err := ws.Push(ctx, d)
			require.NoError(b, err)
		}
	})
}

func BenchmarkPush_OneReservation(b *testing.B) {
	benchmark(b, func(b *testing.B, ctx context.Context, ws *data.Workspace) {
		_, err := ws.Push(ctx, block("acme", "", 1))
		require.NoError(b, err)
		for i := 0; b.Loop(); i++ {
			d := data.CustomerData{CustomerKey: "acme"}
			d.Add(data.Reservation(fmt.Sprint("one-", i), data.Ref{}, data.Refs(data.KindRoom, "000")...).During(day(1), day(2)))
			_, err := ws.Push(ctx, d)
			require.NoError(b, err)
		}
	})
}

func BenchmarkDelete_CustomerWith1000Resources(b *testing.B) {
	benchmark(b, func(b *testing.B, ctx context.Context, ws *data.Workspace) {
		for b.Loop() {
			b.StopTimer()
			_, err := ws.Push(ctx, block("acme", "", 333))
			require.NoError(b, err)
			b.StartTimer()
			_, err = ws.Delete(ctx, data.Selection{CustomerKeys: []string{"acme"}})
			require.NoError(b, err)
		}
	})
}

func BenchmarkPlanDelete_1000Resources(b *testing.B) {
	benchmark(b, func(b *testing.B, ctx context.Context, ws *data.Workspace) {
		_, err := ws.Push(ctx, block("acme", "", 333))
		require.NoError(b, err)
		for b.Loop() {
			_, err := ws.PlanDelete(ctx, data.Selection{Resources: data.Refs(data.KindSite, "site")})
			require.NoError(b, err)
		}
	})
}

func BenchmarkAccessGrants_OfSpaceInWindow(b *testing.B) {
	benchmark(b, func(b *testing.B, ctx context.Context, ws *data.Workspace) {
		d := data.CustomerData{CustomerKey: "acme"}
		for i := range 2000 {
			d.Add(data.Reservation(fmt.Sprint(i), data.Ref{}, data.Refs(data.KindRoom, fmt.Sprint(i%20))...).During(day(float64(i)), day(float64(i)+2)))
		}
		_, err := ws.Push(ctx, d)
		require.NoError(b, err)
		for b.Loop() {
			_, err := ws.AccessGrants(ctx, data.Query{CustomerKey: "acme", SpaceKey: "7", From: day(500), Until: day(900), Limit: 50})
			require.NoError(b, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	body, err := block("acme", "", 333).MarshalJSON()
	require.NoError(b, err)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var d data.CustomerData
		require.NoError(b, d.UnmarshalJSON(body))
	}
}

func BenchmarkChanges_1000Pushes(b *testing.B) {
	benchmark(b, func(b *testing.B, ctx context.Context, ws *data.Workspace) {
		for i := range 1000 {
			_, err := ws.Push(ctx, block(fmt.Sprint("customer-", i%100), fmt.Sprint(i, "-"), 1))
			require.NoError(b, err)
		}
		for b.Loop() {
			for _, err := range ws.Changes(ctx, data.Cursor{}) {
				require.NoError(b, err)
			}
		}
	})
}

// BenchmarkPush_ParallelCustomers pushes one reservation at a time to 16 customers of one
// workspace, from 16 goroutines.
func BenchmarkPush_ParallelCustomers(b *testing.B) {
	const customers = 16
	benchmark(b, func(b *testing.B, ctx context.Context, ws *data.Workspace) {
		for c := range customers {
			_, err := ws.Push(ctx, block(fmt.Sprint("customer-", c), fmt.Sprint(c, "-"), 1))
			require.NoError(b, err)
		}
		var left atomic.Int64
		left.Store(int64(b.N))
		var work sync.WaitGroup
		b.ResetTimer()
		for c := range customers {
			work.Go(func() {
				for i := 0; left.Add(-1) >= 0; i++ {
					d := data.CustomerData{CustomerKey: fmt.Sprint("customer-", c)}
					d.Add(data.Reservation(fmt.Sprint(c, "-one-", i), data.Ref{}, data.Refs(data.KindRoom, fmt.Sprint(c, "-000"))...).During(day(1), day(2)))
					if _, err := ws.Push(ctx, d); err != nil {
						b.Error(err)
					}
				}
			})
		}
		work.Wait()
	})
}
