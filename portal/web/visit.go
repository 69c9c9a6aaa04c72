package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// visit is one request and what is known about the visitor.
type visit struct {
	h *Handler
	w http.ResponseWriter
	r *http.Request

	session *portal.Session // nil where none is open
	look    portal.Appearance
	speech  *speech
	section string // of the navigation
	home    string // the path of the portal's pages, with a slash at its end

	customer     string                // name of the customer whose session the browser has, open or over
	ended        portal.CustomerPortal // whose session was found over; zero if none was
	resending    []input               // of a form that was sent to it
	chosenLocale string                // by this request
	relocaled    bool                  // the visitor changed the language of a form
}

// page is a page of an open portal.
type page struct {
	section string
	show    func(*visit) error // GET
	save    func(*visit) error // POST; nil takes none
}

// ctx is the context of the request.
func (v *visit) ctx() context.Context { return v.r.Context() }

// inPortal answers for a path under "p/".
func (v *visit) inPortal(rest string) {
	name, path, _ := strings.Cut(rest, "/")
	v.home = v.h.prefix + "p/" + name + "/"
	if err := v.find(name); err != nil {
		if errors.Is(err, portal.ErrSessionOver) {
			v.resending = v.resend(path)
		}
		v.refuse(err)
		return
	}
	if path == themePath {
		v.theme()
		return
	}
	p, known := v.h.pages[path]
	switch {
	case !known:
		v.refuse(errUnknownPage)
		return
	case v.r.Method != http.MethodPost:
		v.section = p.section
		v.refuse(p.show(v))
		return
	}
	if err := v.r.ParseForm(); err != nil {
		if tooLarge(err) {
			v.fail(http.StatusRequestEntityTooLarge, problem{Key: "large"})
		} else {
			v.fail(http.StatusBadRequest, problem{Key: "form"})
		}
		return
	}
	if v.r.PostForm.Has("set_locale") {
		v.chooseLocale()
		return
	}
	if p.save == nil {
		v.w.Header().Set("Allow", "GET, HEAD")
		v.fail(http.StatusMethodNotAllowed, problem{Key: "method"})
		return
	}
	v.section = p.section
	if v.r.PostForm.Has(relocaleField) && slices.Contains(formPages, path) {
		if err := v.relocale(); err != nil {
			v.refuse(err)
			return
		}
	}
	v.refuse(p.save(v))
}

// find finds the session by the cookie of a portal.
func (v *visit) find(name string) error {
	token, until := v.timedCookie(name)
	if token == "" {
		return portal.ErrSessionUnknown
	}
	session, err := v.h.portals.Session(v.ctx(), token)
	switch {
	case errors.Is(err, portal.ErrSessionUnknown) && v.h.db.Now().Before(until):
		return portal.ErrDeleted // or its row would still be there
	case errors.Is(err, portal.ErrSessionUnknown) && !until.IsZero():
		return portal.ErrSessionAged
	case session == nil:
		return err
	}
	p := session.Portal()
	if shortName(p) != name {
		return portal.ErrSessionUnknown
	}
	if p.Config.IsEmbedded || !v.framed() {
		v.customer = p.CustomerName // a page in a frame that is not made for one shows nobody's name
	}
	if err != nil {
		v.ended = p
		return err
	}
	if p.Config.IsEmbedded {
		allowFrame(v.w.Header(), p.Config)
	} else if v.framed() {
		return errWrongMode
	}
	look, err := session.Appearance(v.ctx(), v.wantedLocale(p.Config.Locale))
	if err != nil {
		return err
	}
	v.session = session
	v.setLook(look)
	return nil
}

// setLook sets how the page looks and speaks.
func (v *visit) setLook(look portal.Appearance) {
	v.look, v.speech = look, v.h.speech(look.Locale, look.Messages)
	v.speech.lasting = look.Vertical != portal.VerticalHospitality && look.Vertical != portal.VerticalShortTermRental
}

// errWrongMode is the error for a portal in a frame whose configuration does not allow it.
var errWrongMode = errors.New("web: not made for a frame")

// framed reports whether the browser says that it asks for a page for a frame.
func (v *visit) framed() bool {
	return slices.Contains([]string{"iframe", "frame", "embed", "object"}, v.r.Header.Get("Sec-Fetch-Dest"))
}

// config is the configuration of the open portal.
func (v *visit) config() portal.Config { return v.session.Portal().Config }

// wantedLocale is what the visitor chose, or else the portal's own, or what the browser
// asks for.
func (v *visit) wantedLocale(own string) string {
	if chosen := cmp.Or(v.chosenLocale, v.cookie(localeCookie)); slices.Contains(portal.Locales(), chosen) {
		return chosen
	}
	if own != "" {
		return own
	}
	asked, _, err := language.ParseAcceptLanguage(v.r.Header.Get("Accept-Language"))
	if err != nil {
		return ""
	}
	_, i, confidence := localeMatcher.Match(asked...)
	if confidence == language.No {
		return ""
	}
	return portal.Locales()[i]
}

// chooseLocale keeps the locale that the visitor chose, and comes back to the page.
func (v *visit) chooseLocale() {
	v.keepLocale(v.r.PostForm.Get("set_locale"))
	v.redirect(v.r.URL.EscapedPath() + query(v.r.URL.Query()))
}

// keepLocale keeps the locale that the visitor chose, if the portal offers it.
func (v *visit) keepLocale(chosen string) {
	if slices.Contains(portal.Locales(), chosen) && !v.config().ExcludeLocalePicker {
		v.chosenLocale = chosen
		v.setCookie(localeCookie, chosen, v.h.db.Now().Add(365*24*time.Hour), v.config().IsEmbedded)
	}
}

// query is a query as it follows a path.
func query(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// redirect leads to a path of this handler.
func (v *visit) redirect(path string) {
	v.w.Header().Set("Location", path)
	v.w.WriteHeader(http.StatusSeeOther)
}

// to leads to a page of the portal, with pairs of names and values as its query.
func (v *visit) to(path string, pairs ...string) error {
	v.redirect(v.Link(path, pairs...))
	return nil
}

// Link is the path of a page of the portal.
func (v *visit) Link(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return v.home + path + query(q)
}

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
	{portal.ErrInvalid, http.StatusBadRequest, "form"},
	{data.ErrInvalid, http.StatusBadRequest, "form"},
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

// speak makes sure that the page has a language.
func (v *visit) speak() {
	if v.speech == nil {
		locale := v.wantedLocale("")
		if locale == "" {
			locale = portal.Locales()[0]
		}
		v.speech = v.h.speech(locale, nil)
	}
}
