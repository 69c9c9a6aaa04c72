package httpapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// The types of errors, as the API has them. What is not found has a type that says
// what, such as "space_not_found".
const (
	typeInvalidInput = "invalid_input"
	typeUnauthorized = "unauthorized"
	typeNotFound     = "not_found"
	typeConflict     = "conflict"
	typeTooLarge     = "payload_too_large"
	typeMethod       = "method_not_allowed"
	typeMedia        = "unsupported_media_type"
	typeTimeout      = "request_timeout"
	typeUnavailable  = "service_unavailable"
	typeUnknown      = "outcome_unknown"
	typeInternal     = "internal_server_error"
	typeGivenUp      = "request_canceled"
)

// statusGivenUp is the status where the client has gone, or the host's middleware has
// given the request up. It is for the log: nobody waits for the answer.
const statusGivenUp = 499

// failure is an answer that is an error.
type failure struct {
	status  int
	kind    string
	message string
	faults  []validation.Finding
	omitted int // faults that were found beside these
}

func (f *failure) Error() string { return "httpapi: " + f.kind + ": " + f.message }

var (
	errNoRoute     = &failure{status: http.StatusNotFound, kind: typeNotFound, message: "There is no such endpoint"}
	errMethod      = &failure{status: http.StatusMethodNotAllowed, kind: typeMethod, message: "The endpoint does not take this method"}
	errBody        = &failure{status: http.StatusBadRequest, kind: typeInvalidInput, message: "A GET or DELETE has its parameters in the query, and no body"}
	errMedia       = &failure{status: http.StatusUnsupportedMediaType, kind: typeMedia, message: "The body must be application/json, with no encoding"}
	errSlowBody    = &failure{status: http.StatusRequestTimeout, kind: typeTimeout, message: "The body took too long"}
	errInternal    = &failure{status: http.StatusInternalServerError, kind: typeInternal, message: "Internal server error"}
	errRevoked     = &failure{status: http.StatusConflict, kind: typeConflict, message: "The customer's portal was revoked: create a new one"}
	errTrimmed     = &failure{status: http.StatusConflict, kind: typeConflict, message: "Changes after this cursor were trimmed: continue without a cursor, and then read the data again"}
	errEpoch       = &failure{status: http.StatusConflict, kind: typeConflict, message: "The cursor is not of this state of the data, which was restored from a backup: continue without a cursor, and then read the data again"}
	errBusy        = &failure{status: http.StatusConflict, kind: typeConflict, message: "Another request was in the way: try again"}
	errUnavailable = &failure{status: http.StatusServiceUnavailable, kind: typeUnavailable, message: "The service is going down: try again"}
	errUnknown     = &failure{status: http.StatusServiceUnavailable, kind: typeUnknown, message: "The outcome is unknown: the request may have taken effect, now or later; look before you repeat it"}
	errGivenUp     = &failure{status: statusGivenUp, kind: typeGivenUp, message: "The request was given up"}
	errTimeout     = &failure{status: http.StatusServiceUnavailable, kind: typeTimeout, message: "The request took too long"}
)

// noSuch is the answer that something is not there.
func noSuch(what string) *failure {
	text := strings.ReplaceAll(what, "_", " ")
	return &failure{status: http.StatusNotFound, kind: what + "_not_found", message: strings.ToUpper(text[:1]) + text[1:] + " not found"}
}

// answers is what becomes of the errors of the library, the first that matches.
var answers = []struct {
	is     error
	answer *failure
}{
	{ErrUnauthorized, &failure{status: http.StatusUnauthorized, kind: typeUnauthorized, message: "Unauthorized"}},
	{portal.ErrProfileNotFound, noSuch("customization_profile")},
	{portal.ErrNotFound, noSuch("customer_portal")},
	{portal.ErrRevoked, errRevoked},
	{data.ErrCustomerNotFound, noSuch("customer")},
	{data.ErrTrimmed, errTrimmed},
	{data.ErrEpoch, errEpoch},
	{strictjson.ErrLarge, &failure{status: http.StatusRequestEntityTooLarge, kind: typeTooLarge, message: fmt.Sprintf("What is beside customer_data is longer than %d bytes", smallBodyBytes)}},
	{storage.ErrUnknown, errUnknown},
	{storage.ErrConflict, errBusy},
	{storage.ErrClosed, errUnavailable},
	{context.DeadlineExceeded, errTimeout},
	{context.Canceled, errGivenUp},
}

// answerTo is the answer to an error. What it cannot name gives nothing away.
func answerTo(err error) *failure {
	var answer *failure
	if errors.As(err, &answer) {
		return answer
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &failure{status: http.StatusRequestEntityTooLarge, kind: typeTooLarge, message: fmt.Sprintf("The body is longer than %d bytes", tooLarge.Limit)}
	}
	var faults *validation.Error
	switch {
	case errors.As(err, &faults):
		return invalid(faults.Faults, faults.OmittedFaults)
	case errors.Is(err, data.ErrNotJSON):
		return &failure{status: http.StatusBadRequest, kind: typeInvalidInput, message: "The body is not sound JSON: " + strings.TrimPrefix(err.Error(), data.ErrNotJSON.Error()+": ")}
	case errors.Is(err, data.ErrInvalidCursor):
		return faulty(validation.Finding{Path: "page_cursor", Rule: validation.RuleFormat, Message: "is not a cursor of this list"})
	}
	for _, row := range answers {
		if errors.Is(err, row.is) {
			return row.answer
		}
	}
	if errors.Is(err, validation.ErrInvalid) {
		return &failure{status: http.StatusBadRequest, kind: typeInvalidInput, message: strings.TrimPrefix(err.Error(), validation.ErrInvalid.Error()+": ")}
	}
	return errInternal
}

// shownFaults bounds the message; validation_errors lists more of them.
const shownFaults = 3

// faulty is the answer to one fault.
func faulty(fault validation.Finding) *failure { return invalid([]validation.Finding{fault}, 0) }

// repath returns an error whose faults have the paths that the request has for them.
func repath(err error, path func(string) string) error {
	answer := answerTo(err)
	if answer.faults == nil {
		return err
	}
	faults := make([]validation.Finding, len(answer.faults))
	for i, f := range answer.faults {
		f.Path = path(f.Path)
		faults[i] = f
	}
	return invalid(faults, answer.omitted)
}

// invalid returns the answer that lists the first [reportlimit.Max] faults. omitted is the number
// of further faults. The answer is a conflict if each listed fault is a key that another
// customer has.
func invalid(faults []validation.Finding, omitted int) *failure {
	if more := len(faults) - reportlimit.Max; more > 0 {
		faults, omitted = faults[:reportlimit.Max], omitted+more
	}
	f := &failure{status: http.StatusConflict, kind: typeConflict, faults: faults, omitted: omitted}
	var text []string
	for _, fault := range faults {
		if fault.Rule != validation.RuleKeyConflict {
			f.status, f.kind = http.StatusBadRequest, typeInvalidInput
		}
		if len(text) < shownFaults {
			text = append(text, strings.TrimPrefix(fault.String(), ": "))
		}
	}
	f.message = strings.Join(text, "; ")
	if more := len(faults) + omitted - shownFaults; more > 0 {
		f.message += fmt.Sprintf("; and %d more", more)
	}
	if omitted > 0 {
		f.message += fmt.Sprintf(" (validation_errors lists the first %d, and leaves out %d)", len(faults), omitted)
	}
	return f
}

// fail answers an error, and logs one that the answer gives nothing away of.
func (c *call) fail(err error) {
	answer := answerTo(err)
	c.served.ErrorType = answer.kind
	if answer.status >= http.StatusInternalServerError && err != error(answer) { //nolint:errorlint // it is this very one
		c.h.db.Logger().ErrorContext(c.r.Context(), "request failed", "request_id", c.id, "error", err.Error())
	}
	if answer.status == http.StatusUnauthorized {
		c.out.Header().Set("WWW-Authenticate", "Bearer")
	}
	body := fields{"type": answer.kind, "message": answer.message, "request_id": c.id}
	if answer.faults != nil {
		body["validation_errors"] = nest(answer.faults)
	}
	c.write(answer.status, fields{"ok": false, "error": body})
}

// faultTree is faults by the path to them: a field, or a place in a list, below another.
type faultTree struct {
	errors []string
	below  map[string]*faultTree
}

// maxNesting bounds the tree: the rest of a longer path is one name. A path can hold
// names that a client made up.
const maxNesting = 12

const errorsField = "_errors"

// nest makes a tree of faults: "rooms[3].name" is under rooms, 3, name.
func nest(faults []validation.Finding) *faultTree {
	root := &faultTree{}
	for _, f := range faults {
		at := root
		for _, name := range splitPath(asUTF8(f.Path)) {
			if name == errorsField { // it cannot be both
				continue
			}
			if at.below == nil {
				at.below = map[string]*faultTree{}
			}
			if at.below[name] == nil {
				at.below[name] = &faultTree{}
			}
			at = at.below[name]
		}
		at.errors = append(at.errors, asUTF8(f.Message))
	}
	return root
}

// asUTF8 returns s with each run of bytes that are not UTF-8 replaced by U+FFFD, so that every fault can be written as JSON.
func asUTF8(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

func splitPath(path string) (names []string) {
	for rest := path; rest != ""; {
		if len(names) > maxNesting-3 { // a round adds a name and an index
			return append(names, rest)
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			return append(names, rest)
		}
		if end > 0 {
			names = append(names, rest[:end])
		}
		sep := rest[end]
		rest = rest[end+1:]
		if sep == '[' {
			index, after, _ := strings.Cut(rest, "]")
			names = append(names, index)
			rest = strings.TrimPrefix(after, ".")
		}
	}
	return names
}

// MarshalJSON writes the API's validation_errors. It writes the whole tree at once: with
// a MarshalJSON of each node, a fault would be copied once for each level above it.
func (t *faultTree) MarshalJSON() ([]byte, error) { return t.append(nil) }

func (t *faultTree) append(b []byte) (_ []byte, err error) {
	b = append(b, `{"`+errorsField+`":[`...)
	for i, message := range t.errors {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = jsontext.AppendQuote(b, message); err != nil {
			return nil, err
		}
	}
	b = append(b, ']')
	for _, name := range slices.Sorted(maps.Keys(t.below)) {
		if b, err = jsontext.AppendQuote(append(b, ','), name); err != nil {
			return nil, err
		}
		if b, err = t.below[name].append(append(b, ':')); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}
