// Package friend makes functions of one package of this module available to others without
// exporting them: hosts do not see them.
package friend

import (
	"fmt"
	"reflect"
)

// functions are the offered functions by their types. They are written only during the
// initialization of packages.
var functions = map[reflect.Type]any{}

// Offer makes a function available to Of. A package calls it in its initialization, with a
// function whose type names one of the package's own types, so that no other has the same.
func Offer[F any](f F) struct{} {
	of := reflect.TypeFor[F]()
	if functions[of] != nil {
		panic(fmt.Sprintf("friend: %v is offered twice", of))
	}
	functions[of] = f
	return struct{}{}
}

// Of returns the function that was offered under its type. It panics if there is none.
func Of[F any]() F {
	f, ok := functions[reflect.TypeFor[F]()].(F)
	if !ok {
		panic(fmt.Sprintf("friend: %v was not offered", reflect.TypeFor[F]()))
	}
	return f
}
