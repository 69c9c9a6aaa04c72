package web

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

// problem is a page that says what is wrong, and what can be done.
type problem struct {
	Key       string // of the catalog, after "problem."
	ReturnURL string
	TabURL    string  // to be opened in a new tab; empty offers none
	Resend    []input // what was typed, to be sent again
	LinkURL   string  // a link to open again; empty offers none
}

// problems maps errors to the status and the text of their page. The first match counts.
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
	{errWrongMode, http.StatusForbidden, "mode"},
	{portal.ErrRefused, http.StatusForbidden, "refused"},
	{portal.ErrChanged, http.StatusConflict, "busy"},
	{data.ErrResourceNotFound, http.StatusNotFound, "missing"},
	{errUnknownPage, http.StatusNotFound, "missing"},
	{data.ErrInvalidCursor, http.StatusBadRequest, "cursor"},
	{validation.ErrInvalid, http.StatusBadRequest, "form"},
}

// refuse answers with the page for an error. It does nothing if err is nil.
func (v *visit) refuse(err error) {
	if err == nil || v.ctx().Err() != nil {
		return
	}
	if v.session != nil && (errors.Is(err, portal.ErrGone) || errors.Is(err, portal.ErrSessionOver)) {
		v.session, v.ended = nil, v.session.Portal() // it ended as the page was made
	}
	for _, row := range problems {
		if errors.Is(err, row.err) {
			p := problem{Key: row.key, ReturnURL: v.ended.Config.ReturnURL}
			if errors.Is(err, portal.ErrSessionEnded) {
				p.Key = endedKey(v.ended)
			}
			v.fail(row.status, p)
			return
		}
	}
	v.h.db.Logger().ErrorContext(v.ctx(), "a page failed", "error", err)
	v.fail(http.StatusInternalServerError, problem{Key: "internal"})
}

// notFound answers for every path outside of an open portal that does not exist.
func (v *visit) notFound() { v.refuse(portal.ErrForged) }

// fail shows a problem. Without an open session the page holds no data of a customer and
// nothing to press but the visitor's own form, so it may be seen in a frame.
func (v *visit) fail(status int, p problem) {
	if v.session != nil && p.ReturnURL == "" {
		p.ReturnURL = v.config().ReturnURL
	}
	p.ReturnURL = cmp.Or(p.ReturnURL, v.h.o.ReturnURL)
	if v.session == nil && v.framed() {
		allowFrame(v.w.Header(), portal.Config{})
	}
	p.Resend = v.resending
	v.speak()
	v.render(status, "problem", "problem."+p.Key+".title", p)
}

// errWrongMode is the error for a portal in a frame whose configuration does not allow it.
var errWrongMode = errors.New("web: not made for a frame")

// resend returns the inputs of a form whose session is over, so that the visitor can send
// them again once the link is open again. They are nowhere but on that page.
func (v *visit) resend(path string) (out []input) {
	if p, known := v.h.pages[path]; !known || p.save == nil || path == pageEnd || v.r.Method != http.MethodPost {
		return nil
	}
	if v.r.ParseForm() != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(v.r.PostForm)) {
		if slices.Contains([]string{"set_locale", localeField, relocaleField, reviseField, "find", "guest_find"}, name) {
			continue
		}
		for _, value := range v.r.PostForm[name] {
			out = append(out, input{name, value})
		}
	}
	return out
}
