package device

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Optional is a value that may be unknown. The zero value is unknown. Two Optionals are equal (==) if both are unknown
// or both have the same value. In JSON, an unknown value is null, or is omitted with the option omitzero.
type Optional[T comparable] struct {
	value T
	known bool
}

// Known returns an Optional with the given value.
func Known[T comparable](value T) Optional[T] { return Optional[T]{value, true} }

// Get returns the value, and reports whether it is known. An unknown value is the zero value of T.
func (o Optional[T]) Get() (T, bool) { return o.value, o.known }

// Is reports whether the value is known and equal to value.
func (o Optional[T]) Is(value T) bool { return o.known && o.value == value }

// IsKnown reports whether the value is known.
func (o Optional[T]) IsKnown() bool { return o.known }

// IsZero reports whether the value is unknown. The option omitzero of encoding/json uses it.
func (o Optional[T]) IsZero() bool { return !o.known }

// String returns the value in the format %v, or "unknown".
func (o Optional[T]) String() string {
	if !o.known {
		return "unknown"
	}
	return fmt.Sprint(o.value)
}

// MarshalJSON returns the value or null.
func (o Optional[T]) MarshalJSON() ([]byte, error) {
	if !o.known {
		return []byte("null"), nil
	}
	return json.Marshal(o.value)
}

// UnmarshalJSON reads a value or null.
func (o *Optional[T]) UnmarshalJSON(text []byte) error {
	if bytes.Equal(bytes.TrimSpace(text), []byte("null")) {
		*o = Optional[T]{}
		return nil
	}
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	*o = Known(value)
	return nil
}
