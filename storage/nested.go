package storage

import (
	"context"
	"reflect"
	"sync/atomic"
)

// inside marks a context as belonging to a function that runs inside of an Update.
type updateMark struct {
	store Store
	ended atomic.Bool // the Update has ended
	outer *updateMark // the mark that the context had before, or nil
}

type updateMarkKey struct{}

// Inside returns a copy of ctx for a function that runs inside of an Update of s. As long
// as the Update runs, [Run] returns [ErrNested] for s and that copy, or a context derived
// from it, where it would wait for itself for ever. The caller calls end when the Update has
// ended.
func Inside(ctx context.Context, s Store) (marked context.Context, end func()) {
	outer, _ := ctx.Value(updateMarkKey{}).(*updateMark)
	mark := &updateMark{store: s, outer: outer}
	return context.WithValue(ctx, updateMarkKey{}, mark), func() { mark.ended.Store(true) }
}

// CheckNested returns [ErrNested] if ctx belongs to a function that runs inside of an Update
// of s, as far as [Inside] was told of it.
func CheckNested(ctx context.Context, s Store) error {
	mark, _ := ctx.Value(updateMarkKey{}).(*updateMark)
	for ; mark != nil; mark = mark.outer {
		if !mark.ended.Load() && Same(mark.store, s) {
			return ErrNested
		}
	}
	return nil
}

// Same reports whether two values are the same Store. Unlike the operator == it does not
// panic for values of a type that cannot be compared, such as a struct with a map. Those
// are the same if their fields are; slices, maps and functions are the same if they point to
// the same memory.
func Same(a, b Store) bool { return same(reflect.ValueOf(a), reflect.ValueOf(b)) }

func same(a, b reflect.Value) bool {
	switch {
	case !a.IsValid() || !b.IsValid():
		return a.IsValid() == b.IsValid()
	case a.Type() != b.Type():
		return false
	case a.Comparable() && b.Comparable():
		return a.Equal(b)
	}
	switch a.Kind() {
	case reflect.Interface:
		return same(a.Elem(), b.Elem())
	case reflect.Slice:
		return a.Len() == b.Len() && a.UnsafePointer() == b.UnsafePointer()
	case reflect.Map, reflect.Func:
		return a.UnsafePointer() == b.UnsafePointer()
	case reflect.Array:
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return false
}
