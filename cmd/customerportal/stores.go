package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// stores are the kinds of stores that -store can name. A new backend needs one entry.
var stores = []storeKind{
	{
		scheme: "memory", temporary: true,
		check: func(argument string) error {
			if argument != "" {
				return errors.New("memory: has no argument")
			}
			return nil
		},
		open: func(string, *slog.Logger) (storage.Store, error) { return memory.New(), nil },
	},
	{
		scheme: "badger", argument: "DIR",
		check: func(dir string) error {
			if dir == "" || strings.HasPrefix(dir, "//") {
				return errors.New("badger: must be followed by a directory, such as badger:/var/lib/customerportal")
			}
			return nil
		},
		open: func(dir string, log *slog.Logger) (storage.Store, error) {
			return badger.Open(dir, badger.Options{Logger: log})
		},
	},
}

// storeKind is a kind of store. The value of -store is its scheme, a colon and an argument.
type storeKind struct {
	scheme    string
	argument  string // the name of the argument in messages; empty if the kind has no argument
	temporary bool   // the data ends with the process

	check func(argument string) error // without I/O
	open  func(argument string, log *slog.Logger) (storage.Store, error)
}

// storeChoice is a kind of store with its argument, which can contain secrets.
type storeChoice struct {
	storeKind
	value string // of argument
}

// parseStore returns the store that a value of -store names. It does no I/O.
func parseStore(value string, kinds []storeKind) (storeChoice, error) {
	var known []string
	scheme, argument, hasColon := strings.Cut(value, ":")
	for _, kind := range kinds {
		if hasColon && kind.scheme == scheme {
			if err := kind.check(argument); err != nil {
				return storeChoice{}, fmt.Errorf("-store: %w", err)
			}
			return storeChoice{kind, argument}, nil
		}
		known = append(known, kind.scheme+":"+kind.argument)
	}
	list := strings.Join(known, " or ")
	switch {
	case value == "":
		return storeChoice{}, fmt.Errorf("-store is required: %s", list)
	case !hasColon:
		return storeChoice{}, fmt.Errorf("-store must begin with the kind of store and a colon: %s", list)
	}
	return storeChoice{}, fmt.Errorf("-store: unknown kind of store %q; known are %s", scheme, list)
}
