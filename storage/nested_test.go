package storage_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// Wrappers of stores whose types are not comparable.
type (
	withMap struct {
		storage.Store
		tags map[string]string
	}
	withSlice struct {
		storage.Store
		tags []string
	}
	withFunc struct {
		storage.Store
		notify func()
	}
	withAny struct {
		storage.Store
		tag any
	}
	withArray struct {
		storage.Store
		tags [2][]string
	}
)

func TestSame_IncomparableTypes_ComparesFields(t *testing.T) {
	t.Parallel()
	a, b := memory.New(), memory.New()
	tags, list := map[string]string{"a": "b"}, []string{"a", "b"}
	notify := func() {}
	for name, test := range map[string]struct {
		a, b storage.Store
		want bool
	}{
		"one pointer":            {a, a, true},
		"two pointers":           {a, b, false},
		"nil and nil":            {nil, nil, true},
		"nil and a store":        {nil, a, false},
		"a wrapper and its part": {withMap{a, tags}, a, false},
		"one map":                {withMap{a, tags}, withMap{a, tags}, true},
		"no map":                 {withMap{a, nil}, withMap{a, nil}, true},
		"two stores, one map":    {withMap{a, tags}, withMap{b, tags}, false},
		"two equal maps":         {withMap{a, tags}, withMap{a, map[string]string{"a": "b"}}, false},
		"one slice":              {withSlice{a, list}, withSlice{a, list}, true},
		"parts of one slice":     {withSlice{a, list}, withSlice{a, list[:1]}, false},
		"two equal slices":       {withSlice{a, list}, withSlice{a, []string{"a", "b"}}, false},
		"one function":           {withFunc{a, notify}, withFunc{a, notify}, true},
		"a slice in a field":     {withAny{a, list}, withAny{a, list}, true},
		"other types in a field": {withAny{a, list}, withAny{a, "a"}, false},
		"arrays of slices":       {withArray{a, [2][]string{list, nil}}, withArray{a, [2][]string{list, nil}}, true},
		"other arrays":           {withArray{a, [2][]string{list, nil}}, withArray{a, [2][]string{nil, list}}, false},
		"two types":              {withSlice{a, nil}, withMap{a, nil}, false},
	} {
		require.Equal(t, test.want, storage.Same(test.a, test.b), name)
		require.Equal(t, test.want, storage.Same(test.b, test.a), name)
	}
}

func TestRun_InsideWriteOfSameStore_ReturnsErrNested(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]storage.Store{"pointer": memory.New(), "incomparable type": withMap{memory.New(), map[string]string{}}} {
		other := memory.New()
		type key struct{}
		ctx, end := storage.Inside(t.Context(), store)
		both, endBoth := storage.Inside(context.WithValue(ctx, key{}, 1), other)
		ran := 0
		run := func(ctx context.Context, s storage.Store) error {
			return storage.Run(ctx, s, func(storage.Tx) error {
				ran++
				return nil
			})
		}
		require.ErrorIs(t, run(ctx, store), storage.ErrNested, name)
		require.ErrorIs(t, run(both, store), storage.ErrNested, name)
		require.ErrorIs(t, run(both, other), storage.ErrNested, name)
		require.Zero(t, ran)
		require.NoError(t, run(ctx, other))
		require.NoError(t, run(t.Context(), store))

		end() // the outer write has ended, and its context is still used
		require.NoError(t, run(ctx, store), name)
		require.NoError(t, run(both, store), name)
		require.ErrorIs(t, run(both, other), storage.ErrNested, name)
		endBoth()
		require.NoError(t, run(both, other), name)
	}
}
