package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/customerportal-go/customerportal/storage"
)

var (
	// ErrForeign is returned by Open if the schema contains tables of another program.
	ErrForeign = errors.New("storage/postgres: the schema contains tables of another program; set Options.Schema to a name that is not used")

	// ErrVersion is returned by Open if the schema was written by a version of this package
	// that this version does not support.
	ErrVersion = errors.New("storage/postgres: unsupported version of the schema")

	// ErrLock is returned by Open if the schema was created with the other value of
	// Options.Portable. The two kinds of locks do not exclude each other.
	ErrLock = errors.New("storage/postgres: the schema was created with another value of Options.Portable")

	// ErrReadOnly is returned by Open if the server does not accept writes, for example
	// because it is a standby.
	ErrReadOnly = errors.New("storage/postgres: the server is read-only; connect to the primary, for example with target_session_attrs=read-write in the URL")
)

// sanitize returns an error of the driver without stored values and parts of the URL. It
// keeps the errors of the network, but not those of a context, because the context is often
// one of the store. If the context of the caller is done, the caller must return its error.
func sanitize(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("storage/postgres: %s: %w", operation, cause(err))
}

// cause returns the part of an error of the driver that contains no stored values.
func cause(err error) error {
	var server *pgconn.PgError
	var network *net.OpError
	switch {
	case errors.As(err, &server):
		return serverError(server)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return errTimeout
	case errors.As(err, &network):
		return network
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return errConnectionLost
	}
	if err := certificateError(err); err != nil {
		return fmt.Errorf("the certificate of the server cannot be verified: %w", err)
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return errors.New("cannot connect to the server")
	}
	return fmt.Errorf("the driver failed (%T)", err)
}

// certificateError returns the reason why a certificate was refused, or nil if err is another error. The reason contains the names in
// the certificate and the name that was expected.
func certificateError(err error) error {
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok { // with sslmode=verify-ca
		return e
	}
	return nil
}

var (
	errConnectionLost = errors.New("the connection was lost")
	errTimeout        = errors.New("the server did not answer in time")
)

// serverError returns an error with the message and the code of an error of the server. The
// other fields can contain stored values, and so can the messages of some classes.
func serverError(e *pgconn.PgError) error {
	message := e.Message
	if strings.HasPrefix(e.Code, "22") || strings.HasPrefix(e.Code, "23") {
		message = "invalid data"
	}
	return fmt.Errorf("%s (SQLSTATE %s)", message, e.Code)
}

// refused reports whether the server has rejected a statement, so that its transaction is
// rolled back. It is false if the connection was lost, or the server ended the session or does
// not know the outcome itself: then the transaction may have committed before.
func refused(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.SeverityUnlocalized == "ERROR" && server.Code != stateUnknown
}

// serialization reports whether the server could not serialize a transaction and has rolled it back.
func serialization(err error) bool {
	state := sqlState(err)
	return refused(err) && (state == stateSerialization || state == stateDeadlock)
}

// sqlState returns the code of an error of the server, or an empty string.
func sqlState(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return ""
}

// The codes of errors of the server that the package handles.
const (
	stateReadOnly        = "25006" // a write in a read-only transaction
	stateDivisionByZero  = "22012"
	stateSerialization   = "40001"
	stateDeadlock        = "40P01"
	stateUnknown         = "40003" // of distributed databases
	stateUndefinedColumn = "42703"
	stateUnique          = "23505"
	stateSchemaExists    = "42P06"
	stateTableExists     = "42P07"
)

// lostError is the error of the Updates of a group that was not committed for a reason that
// a new attempt does not have.
func lostError(err error) error {
	if errors.Is(err, storage.ErrConflict) {
		return err
	}
	return fmt.Errorf("%w: the transaction was lost and nothing was written: %w", storage.ErrConflict, err)
}
