package strictjson

import "github.com/customerportal-go/customerportal/internal/friend"

// Register makes Decode use a function for a type. A package calls it in its initialization,
// once for each of its types.
func Register[T any](decode func(*Reader, *T) error) struct{} { return friend.Offer(decode) }

// Decode reads the next value into a variable of a registered type. It panics for a type that
// is not registered.
func Decode[T any](r *Reader, into *T) error { return friend.Of[func(*Reader, *T) error]()(r, into) }
