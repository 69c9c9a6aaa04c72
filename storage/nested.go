package storage

import (
	"context"
	"reflect"
	"sync/atomic"
)

// updateMark marks the context of a function that runs inside an Update.
type updateMark struct {
	store Store
	ended atomic.Bool // the Update has ended
	outer *updateMark // the previous mark of the context, or nil
}

type updateMarkKey struct{}

// Inside returns a copy of ctx for a function that runs inside an Update of s. Until the
// caller calls end, [Run] returns [ErrNested] for s and that context, or a context derived
// from it, instead of waiting forever. The caller must call end when the Update has ended.
func Inside(ctx context.Context, s Store) (marked context.Context, end func()) {
	outer, _ := ctx.Value(updateMarkKey{}).(*updateMark)
	mark := &updateMark{store: s, outer: outer}
	return context.WithValue(ctx, updateMarkKey{}, mark), func() { mark.ended.Store(true) }
}

// CheckNested returns [ErrNested] if ctx, or a context it was derived from, was marked by
// [Inside] for a running Update of s.
func CheckNested(ctx context.Context, s Store) error {
	mark, _ := ctx.Value(updateMarkKey{}).(*updateMark)
	for ; mark != nil; mark = mark.outer {
		if !mark.ended.Load() && Same(mark.store, s) {
			return ErrNested
		}
	}
	return nil
}

// Same reports whether a and b are the same Store. Unlike the operator ==, it does not
// panic if their type is not comparable, such as a struct that contains a map. Such values
// are the same if all of their fields are the same; slices, maps and functions are the same
// if they refer to the same memory.
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
