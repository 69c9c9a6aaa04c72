package portal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

// benchmark runs a benchmark on all backends, with a customer in the store.
func benchmark(b *testing.B, run func(b *testing.B, f *fixture)) {
	backends.Benchmark(b, func(b *testing.B, store storage.Store) {
		f := setup(b, store)
		_, err := f.ws.Push(b.Context(), *hotel())
		require.NoError(b, err)
		run(b, f)
	})
}

func BenchmarkCreate(b *testing.B) {
	benchmark(b, func(b *testing.B, f *fixture) {
		for b.Loop() {
			f.create(b, portal.CreateRequest{CustomerKey: "My Company"})
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	benchmark(b, func(b *testing.B, f *fixture) {
		p := f.create(b, portal.CreateRequest{CustomerKey: "My Company"})
		code := portal.Code(p.URL.Reveal())
		for b.Loop() {
			_, err := f.portals.Resolve(b.Context(), code)
			require.NoError(b, err)
		}
	})
}
