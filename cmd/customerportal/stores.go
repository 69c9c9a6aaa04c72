package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/storage/pebble"
	"github.com/customerportal-go/customerportal/storage/postgres"
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
		check: directory("badger"),
		open: func(dir string, log *slog.Logger) (storage.Store, error) {
			return badger.Open(dir, badger.Options{Logger: log})
		},
	},
	{
		scheme: "pebble", argument: "DIR",
		check: directory("pebble"),
		open: func(dir string, log *slog.Logger) (storage.Store, error) {
			return pebble.Open(dir, pebble.Options{Logger: log})
		},
	},
	{
		scheme: "postgres", argument: "//USER@HOST/DATABASE",
		check: func(argument string) error {
			_, _, err := parsePostgres(argument)
			return err
		},
		open: func(argument string, _ *slog.Logger) (storage.Store, error) {
			url, options, err := parsePostgres(argument)
			if err != nil {
				return nil, err
			}
			ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
			defer cancel()
			return postgres.Open(ctx, url, options)
		},
	},
}

// directory returns a check for the argument of a store in a directory.
func directory(scheme string) func(string) error {
	return func(dir string) error {
		if dir == "" || strings.HasPrefix(dir, "//") {
			return fmt.Errorf("%s: must be followed by a directory, such as %s:/var/lib/customerportal", scheme, scheme)
		}
		return nil
	}
}

// openTimeout limits the time to connect to a database and to create its tables.
const openTimeout = time.Minute

// The parameters of a postgres URL that set options of the store. The others are those of the driver.
const (
	schemaParameter    = "schema"
	pgbouncerParameter = "pgbouncer"
	portableParameter  = "portable"
)

// parsePostgres returns the connection URL and the options of a postgres store. Its errors do not contain the URL, which can
// contain a password.
func parsePostgres(argument string) (connection string, o postgres.Options, err error) {
	u, err := url.Parse("postgres:" + argument)
	if err != nil || !strings.HasPrefix(argument, "//") || u.Path == "" || u.Path == "/" {
		return "", o, errors.New("postgres: must be followed by a server and a database, such as postgres://user@db.example/customerportal?sslmode=verify-full")
	}
	parameters, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", o, errors.New("postgres: the parameters of the URL are not valid")
	}
	o.Schema = parameters.Get(schemaParameter)
	parameters.Del(schemaParameter)
	for name, option := range map[string]*bool{pgbouncerParameter: &o.TransactionPooling, portableParameter: &o.Portable} {
		if value := parameters.Get(name); value != "" {
			if *option, err = strconv.ParseBool(value); err != nil {
				return "", o, fmt.Errorf("postgres: the parameter %s must be true or false", name)
			}
		}
		parameters.Del(name)
	}
	u.RawQuery = parameters.Encode()
	return u.String(), o, nil
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
