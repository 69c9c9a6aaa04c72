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

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// The values of error.type in a response. The type for a resource that does not exist names its class, such as
// "space_not_found".
const (
	typeInvalidInput   = "invalid_input"
	typeUnauthorized   = "unauthorized"
	typeNotFound       = "not_found"
	typeConflict       = "conflict"
	typeTooLarge       = "payload_too_large"
	typeMethod         = "method_not_allowed"
	typeNotSupported   = "not_supported"
	typeMediaType      = "unsupported_media_type"
	typeTimeout        = "request_timeout"
	typeTooMany        = "too_many_requests"
	typeUnreachable    = "provider_unreachable"
	typeUnavailable    = "service_unavailable"
	typeOutcomeUnknown = "outcome_unknown"
	typeInternal       = "internal_server_error"
	typeCanceled       = "request_canceled"
)

// statusCanceled is the status of a request whose client has disconnected, or that the host's middleware has canceled. It
// appears in the log and the metrics; the client does not receive the response.
const statusCanceled = 499

// apiError is an error response.
type apiError struct {
	status  int
	kind    string // error.type
	message string
	faults  []validation.Finding // validation_errors, or nil
	omitted int                  // the number of faults that are not in faults
}

func (e *apiError) Error() string { return "httpapi: " + e.kind + ": " + e.message }

// badRequest returns the response to a request that is invalid as a whole.
func badRequest(message string) *apiError {
	return &apiError{status: http.StatusBadRequest, kind: typeInvalidInput, message: message}
}

// tooLarge returns the response to a request if a part of it is longer than limit bytes.
func tooLarge(part string, limit int64) *apiError {
	return &apiError{status: http.StatusRequestEntityTooLarge, kind: typeTooLarge, message: fmt.Sprintf("%s longer than %d bytes", part, limit)}
}

var (
	errUnknownEndpoint = &apiError{status: http.StatusNotFound, kind: typeNotFound, message: "There is no such endpoint"}
	errMethod          = &apiError{status: http.StatusMethodNotAllowed, kind: typeMethod, message: "The endpoint does not support this method: use one of the Allow header"}
	errUnexpectedBody  = badRequest("A GET or DELETE request must have its parameters in the query and no body")
	errMediaType       = &apiError{status: http.StatusUnsupportedMediaType, kind: typeMediaType, message: "The body must be application/json in UTF-8, without a content encoding"}
	errBodyTimeout     = &apiError{status: http.StatusRequestTimeout, kind: typeTimeout, message: "The body was not received in time"}
	errInternal        = &apiError{status: http.StatusInternalServerError, kind: typeInternal, message: "Internal server error"}
	errRevoked         = &apiError{status: http.StatusConflict, kind: typeConflict, message: "The customer's portal was revoked: create a new one"}
	errTrimmed         = &apiError{status: http.StatusConflict, kind: typeConflict, message: "Changes after this cursor were trimmed: continue without a cursor, then read the data again"}
	errEpoch           = &apiError{status: http.StatusConflict, kind: typeConflict, message: "The cursor is from before the data was restored from a backup: continue without a cursor, then read the data again"}
	errConflict        = &apiError{status: http.StatusConflict, kind: typeConflict, message: "The request conflicted with another request: try again"}
	errShuttingDown    = &apiError{status: http.StatusServiceUnavailable, kind: typeUnavailable, message: "The service is shutting down: try again"}
	errOutcomeUnknown  = &apiError{status: http.StatusServiceUnavailable, kind: typeOutcomeUnknown, message: "The outcome is unknown: the request may have taken effect, or may still take effect. Check the data before you repeat the request"}
	errTooManyAttempts = &apiError{status: http.StatusTooManyRequests, kind: typeTooMany, message: "Too many action attempts of the customer are pending: wait until some have ended"}
	errUnreachable     = &apiError{status: http.StatusServiceUnavailable, kind: typeUnreachable, message: "The provider cannot be reached: try again later"}
	errCanceled        = &apiError{status: statusCanceled, kind: typeCanceled, message: "The request was canceled"}
	errTimeout         = &apiError{status: http.StatusServiceUnavailable, kind: typeTimeout, message: "The request took too long"}
)

// notFound returns the response for a resource that does not exist. name is its class, such as "access_grant".
func notFound(name string) *apiError {
	text := strings.ReplaceAll(name, "_", " ")
	return &apiError{status: http.StatusNotFound, kind: name + "_not_found", message: strings.ToUpper(text[:1]) + text[1:] + " not found"}
}

// errorResponses maps errors of the library to responses. The first match counts.
var errorResponses = []struct {
	err      error
	response *apiError
}{
	{ErrUnauthorized, &apiError{status: http.StatusUnauthorized, kind: typeUnauthorized, message: "Unauthorized"}},
	{portal.ErrProfileNotFound, notFound("customization_profile")},
	{portal.ErrNotFound, notFound("customer_portal")},
	{portal.ErrRevoked, errRevoked},
	{data.ErrCustomerNotFound, notFound("customer")},
	{access.ErrDeviceNotFound, notFound("device")},
	{access.ErrAccountNotFound, notFound("connected_account")},
	{access.ErrCodeNotFound, notFound("access_code")},
	{access.ErrAttemptNotFound, notFound("action_attempt")},
	{access.ErrClimatePresetNotFound, notFound("climate_preset")},
	{access.ErrTooManyAttempts, errTooManyAttempts},
	{device.ErrOffline, errUnreachable},
	{data.ErrTrimmed, errTrimmed},
	{data.ErrEpoch, errEpoch},
	{strictjson.ErrLarge, tooLarge("The members other than customer_data are", smallBodyBytes)},
	{storage.ErrUnknown, errOutcomeUnknown},
	{storage.ErrConflict, errConflict},
	{storage.ErrClosed, errShuttingDown},
	{context.DeadlineExceeded, errTimeout},
	{context.Canceled, errCanceled},
}

// responseTo returns the response to an error. For an unknown error it is errInternal, which discloses nothing.
func responseTo(err error) *apiError {
	var response *apiError
	if errors.As(err, &response) {
		return response
	}
	var tooManyBytes *http.MaxBytesError
	if errors.As(err, &tooManyBytes) {
		return tooLarge("The body is", tooManyBytes.Limit)
	}
	var invalid *validation.Error
	switch {
	case errors.As(err, &invalid):
		return invalidInput(invalid.OmittedFaults, invalid.Faults...)
	case errors.Is(err, data.ErrNotJSON):
		return badRequest("The body is not valid JSON: " + strings.TrimPrefix(err.Error(), data.ErrNotJSON.Error()+": "))
	case errors.Is(err, data.ErrInvalidCursor):
		return invalidInput(0, validation.Finding{Path: "page_cursor", Rule: validation.RuleFormat, Message: "is not a cursor of this list"})
	}
	for _, row := range errorResponses {
		if errors.Is(err, row.err) {
			return row.response
		}
	}
	if errors.Is(err, validation.ErrInvalid) {
		return badRequest(strings.TrimPrefix(err.Error(), validation.ErrInvalid.Error()+": "))
	}
	return errInternal
}

// mapFaultPaths returns an error like err in which the function path has converted the path of each fault. It returns err if
// err has no faults.
func mapFaultPaths(err error, path func(string) string) error {
	response := responseTo(err)
	if response.faults == nil {
		return err
	}
	faults := make([]validation.Finding, len(response.faults))
	for i, f := range response.faults {
		f.Path = path(f.Path)
		faults[i] = f
	}
	return invalidInput(response.omitted, faults...)
}

// renameFaultPath returns an error like err in which each fault with the path from has the path to. An empty path is the body
// itself.
func renameFaultPath(err error, from, to string) error {
	return mapFaultPaths(err, func(path string) string {
		if path == from {
			return to
		}
		return path
	})
}

// maxFaultsInMessage is the number of faults in error.message. validation_errors lists more of them.
const maxFaultsInMessage = 3

// invalidInput returns the response that lists the first [reportlimit.Max] faults. omitted is the number of further faults. The
// response is a conflict if every listed fault is a key that another customer has.
func invalidInput(omitted int, faults ...validation.Finding) *apiError {
	if more := len(faults) - reportlimit.Max; more > 0 {
		faults, omitted = faults[:reportlimit.Max], omitted+more
	}
	e := &apiError{status: http.StatusConflict, kind: typeConflict, faults: faults, omitted: omitted}
	var texts []string
	for _, fault := range faults {
		if fault.Rule != validation.RuleKeyConflict {
			e.status, e.kind = http.StatusBadRequest, typeInvalidInput
		}
		if len(texts) < maxFaultsInMessage {
			texts = append(texts, fault.String())
		}
	}
	e.message = strings.Join(texts, "; ")
	if more := len(faults) + omitted - maxFaultsInMessage; more > 0 {
		e.message += fmt.Sprintf("; and %d more", more)
	}
	if omitted > 0 {
		e.message += fmt.Sprintf(" (validation_errors lists the first %d and omits %d)", len(faults), omitted)
	}
	return e
}

// faultTree holds the messages of faults by their paths. It is the JSON of validation_errors.
type faultTree struct {
	errors   []string
	children map[string]*faultTree // by name of a member, or by index of a list
}

// maxNesting limits the depth of a faultTree. The end of a longer path is one name. A path may contain names that a client
// chose.
const maxNesting = 12

const errorsField = "_errors"

// newFaultTree returns the tree of faults. The fault at "rooms[3].name" is in the node rooms, 3, name.
func newFaultTree(faults []validation.Finding) *faultTree {
	root := &faultTree{}
	for _, f := range faults {
		node := root
		for _, name := range splitPath(toValidUTF8(f.Path)) {
			if name == errorsField { // a member of that name would hide the messages
				continue
			}
			if node.children == nil {
				node.children = map[string]*faultTree{}
			}
			if node.children[name] == nil {
				node.children[name] = &faultTree{}
			}
			node = node.children[name]
		}
		node.errors = append(node.errors, toValidUTF8(f.Message))
	}
	return root
}

// toValidUTF8 returns s with each run of bytes that are not UTF-8 replaced by U+FFFD, so that every fault can be written as JSON.
func toValidUTF8(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// splitPath returns the at most maxNesting names and indexes of a path such as "rooms[3].name".
func splitPath(path string) (names []string) {
	for rest := path; rest != ""; {
		if len(names) > maxNesting-3 { // one iteration adds up to a name and an index
			return append(names, rest)
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			return append(names, rest)
		}
		if end > 0 {
			names = append(names, rest[:end])
		}
		separator := rest[end]
		rest = rest[end+1:]
		if separator == '[' {
			index, after, _ := strings.Cut(rest, "]")
			names = append(names, index)
			rest = strings.TrimPrefix(after, ".")
		}
	}
	return names
}

// MarshalJSON returns the JSON of validation_errors. It writes the whole tree at once: if each node had its own call of
// MarshalJSON, a message would be copied once for each level above it.
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
	for _, name := range slices.Sorted(maps.Keys(t.children)) {
		if b, err = jsontext.AppendQuote(append(b, ','), name); err != nil {
			return nil, err
		}
		if b, err = t.children[name].append(append(b, ':')); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}
