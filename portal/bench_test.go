package portal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/portal"
)

// benchmark runs a benchmark on every backend, with a store of its own and a customer.
func benchmark(b *testing.B, run func(b *testing.B, f *fixture)) {
	for _, backend := range backends.All {
		b.Run(backend.Name, func(b *testing.B) {
			store, _ := backend.Open(b)
			defer func() { require.NoError(b, store.Close()) }()
			f := setup(b, store)
			_, err := f.ws.Push(b.Context(), *hotel())
			require.NoError(b, err)
			b.ReportAllocs()
			run(b, f)
		})
	}
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
