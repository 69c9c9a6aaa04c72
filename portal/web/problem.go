package web

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

// problem is the content of an error page.
type problem struct {
	Key       string // the key of its texts in the catalog, without the prefix "problem."
	ReturnURL string
	TabURL    string        // a URL to open in a new tab; "" if there is none
	Resend    []hiddenInput // the inputs of a form that the visitor can post again
	LinkURL   string        // the URL of a link to open again; "" if there is none
	NewURL    string        // the URL of a page that requests a new link; "" if the host has no such page
	Support   string        // an email address or a URL; "" if the host has not set it
}

// linkProblems are the problems that a new link can solve.
var linkProblems = []string{"forged", "expired", "used", "deleted", "revoked", "over", "aged", "closed", "ended_used", "slow"}

// problems maps errors to the status code and the text of their page. The first match counts.
var problems = []struct {
	err    error
	status int
	key    string
}{
	{portal.ErrForged, http.StatusNotFound, "forged"},
	{portal.ErrExpired, http.StatusGone, "expired"},
	{portal.ErrUsedUp, http.StatusGone, "used"},
	{portal.ErrDeleted, http.StatusGone, "deleted"},
	{portal.ErrGone, http.StatusGone, "revoked"},
	{portal.ErrSessionIdle, http.StatusForbidden, "over"},
	{portal.ErrSessionAged, http.StatusForbidden, "aged"},
	{portal.ErrSessionEnded, http.StatusForbidden, "ended"},
	{portal.ErrSessionOver, http.StatusForbidden, "closed"},
	{errNotEmbeddable, http.StatusForbidden, "mode"},
	{portal.ErrRefused, http.StatusForbidden, "refused"},
	{portal.ErrChanged, http.StatusConflict, "busy"},
	{data.ErrResourceNotFound, http.StatusNotFound, "missing"},
	{access.ErrNotFound, http.StatusNotFound, "missing"},
	{errUnknownPage, http.StatusNotFound, "missing"},
	{access.ErrNotFound, http.StatusNotFound, "missing"},
	{access.ErrTokenUsed, http.StatusConflict, "busy"},
	{data.ErrInvalidCursor, http.StatusBadRequest, "cursor"},
	{validation.ErrInvalid, http.StatusBadRequest, "form"},
}

// showError responds with the page for an error. It does nothing if err is nil or the client has closed the connection.
func (x *exchange) showError(err error) {
	if err == nil || x.ctx().Err() != nil {
		return
	}
	if x.session != nil && (errors.Is(err, portal.ErrGone) || errors.Is(err, portal.ErrSessionOver)) {
		x.session, x.shutPortal = nil, x.session.Portal() // the session ended while the page was made
	}
	for _, row := range problems {
		if errors.Is(err, row.err) {
			p := problem{Key: row.key, ReturnURL: x.shutPortal.Config.ReturnURL}
			if errors.Is(err, portal.ErrSessionEnded) {
				p.Key = endedKey(x.shutPortal)
			}
			x.showProblem(row.status, p)
			return
		}
	}
	x.h.db.Logger().ErrorContext(x.ctx(), "serving a page failed", "error", err)
	x.showProblem(http.StatusInternalServerError, problem{Key: "internal"})
}

// notFound responds to an unknown path that is not a path of an open portal. The page is the same as for a forged code.
func (x *exchange) notFound() { x.showError(portal.ErrForged) }

// showProblem responds with an error page. Without an open session, the page contains no data of a customer and no
// button except for the visitor's own form, so a frame may show it.
func (x *exchange) showProblem(status int, p problem) {
	if x.session != nil && p.ReturnURL == "" {
		p.ReturnURL = x.config().ReturnURL
	}
	p.ReturnURL = cmp.Or(p.ReturnURL, x.h.options.ReturnURL)
	if x.session == nil && x.framed() {
		allowFrame(x.w.Header(), portal.Config{})
	}
	p.Resend, p.Support = x.resend, x.h.options.Support
	if slices.Contains(linkProblems, p.Key) {
		p.NewURL = x.h.options.NewLinkURL
	}
	x.ensureLocalizer()
	x.render(status, "problem", "problem."+p.Key+".title", p)
}

// errNotEmbeddable is returned for a portal in a frame whose configuration does not allow frames.
var errNotEmbeddable = errors.New("web: the portal does not allow frames")

// postedInputs returns the inputs of a form that was posted after the session had ended, so that the visitor can open
// the link again and post them once more. They are stored only on that page.
func (x *exchange) postedInputs(path string) (out []hiddenInput) {
	if p, known := x.h.pages[path]; !known || p.save == nil || path == pageEnd || p.section == sectionConnect || x.r.Method != http.MethodPost {
		return nil // the forms of the connect section contain passwords
	}
	if x.r.ParseForm() != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(x.r.PostForm)) {
		if slices.Contains([]string{"set_locale", localeField, relocaleField, reviseField, "find", "guest_find"}, name) {
			continue
		}
		for _, value := range x.r.PostForm[name] {
			out = append(out, hiddenInput{name, value})
		}
	}
	return out
}
