// Package friend makes unexported functions of one package of this module available to the other packages of the module, but
// not to hosts.
package friend

import (
	"fmt"
	"reflect"
)

// functions contains the offered functions by their types. It is changed only during the initialization of packages.
var functions = map[reflect.Type]any{}

// Offer makes a function available to Of. A package calls it in its initialization. The type of the function must contain a
// type that the package declares, so that no other package offers a function of the same type.
func Offer[F any](f F) struct{} {
	of := reflect.TypeFor[F]()
	if functions[of] != nil {
		panic(fmt.Sprintf("friend: %v is offered twice", of))
	}
	functions[of] = f
	return struct{}{}
}

// Of returns the function of type F that was offered. It panics if no such function was offered.
func Of[F any]() F {
	f, ok := functions[reflect.TypeFor[F]()].(F)
	if !ok {
		panic(fmt.Sprintf("friend: %v was not offered", reflect.TypeFor[F]()))
	}
	return f
}
