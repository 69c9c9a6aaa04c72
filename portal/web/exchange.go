package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/portal"
)

// exchange is one HTTP request and its response.
type exchange struct {
	h *Handler
	w http.ResponseWriter
	r *http.Request

	session    *portal.Session // nil if no portal is open
	view       *portal.View    // the view that the page reads from; nil outside of withSession and inView
	appearance portal.Appearance
	localizer  *localizer
	section    string // the current section of the navigation
	home       string // the path of the portal's pages, with a slash at its end

	customerName string                  // the name of the customer whose portal is or was open in the browser
	shutPortal   portal.CustomerPortal   // the portal of the link that was opened, or of the session that has ended; otherwise zero
	rules        *portal.AutomationRules // of the customer, for the page of automations; nil if the portal cannot set them
	resend       []hiddenInput           // the inputs of a form that was posted after the end of the session
	chosenLocale string                  // the locale that the visitor chose with this request

	status        int    // the status code of the response; 0 until there is one
	body          []byte // the body of the response
	asset         string // the name of the asset that the response contains; "" for others
	localeChanged bool   // the visitor changed the language of a form
	offersUndo    bool   // the page shows the notice about a change that can be undone
}

// page is a page of an open portal.
type page struct {
	section string

	// show serves a GET. It runs in the View in which the session was found, so that the whole page shows one state of
	// the store, unless callsHost is set.
	show      func(*exchange) error
	save      func(*exchange) error // serves a POST and reads with exchange.inView; nil if the page accepts no POST
	callsHost bool                  // show calls the host, which may take long, and does not use the View

	// prepare, if it is not nil, reads in that View what show of a page that calls the host needs.
	prepare func(*exchange) error
}

// ctx returns the context of the request.
func (x *exchange) ctx() context.Context { return x.r.Context() }

// servePortal serves a path below "p/".
func (x *exchange) servePortal(rest string) {
	name, path, _ := strings.Cut(rest, "/")
	x.home = x.h.prefix + "p/" + name + "/"
	p, known := x.h.pages[path]
	isPost := x.r.Method == http.MethodPost
	err := x.withSession(name, func() error {
		x.section = p.section
		switch {
		case path == themePath:
			x.serveTheme()
			return nil
		case !known:
			return errUnknownPage
		case isPost || p.callsHost && p.prepare == nil:
			return nil
		case p.callsHost:
			return p.prepare(x)
		}
		return p.show(x)
	})
	if err != nil {
		if errors.Is(err, portal.ErrSessionOver) {
			x.resend = x.postedInputs(path)
		}
		x.showError(err)
		return
	}
	if x.answered() {
		return
	}
	if !isPost {
		x.showError(p.show(x))
		return
	}
	if err := x.r.ParseForm(); err != nil {
		if tooLarge(err) {
			x.showProblem(http.StatusRequestEntityTooLarge, problem{Key: "large"})
		} else {
			x.showProblem(http.StatusBadRequest, problem{Key: "form"})
		}
		return
	}
	if x.r.PostForm.Has("set_locale") {
		x.chooseLocale()
		return
	}
	if p.save == nil {
		x.w.Header().Set("Allow", "GET, HEAD")
		x.showProblem(http.StatusMethodNotAllowed, problem{Key: "method"})
		return
	}
	if x.r.PostForm.Has(relocaleField) && slices.Contains(formPages, path) {
		if err := x.changeLocale(); err != nil {
			x.showError(err)
			return
		}
	}
	x.showError(p.save(x))
}

// withSession finds the session of the portal with a short name by its cookie, and calls show in a View of the same
// state. It returns the error of show, or an error that explains why there is no session.
func (x *exchange) withSession(name string, show func() error) error {
	token, until := x.secretCookie(name)
	if token == "" {
		return portal.ErrSessionUnknown
	}
	isGood := false
	session, err := x.h.portals.ViewSession(x.ctx(), token, func(session *portal.Session, view *portal.View) error {
		isGood = true
		p := session.Portal()
		if err := x.identify(p, name); err != nil {
			return err
		}
		if p.Config.IsEmbedded {
			allowFrame(x.w.Header(), p.Config)
		} else if x.framed() {
			return errNotEmbeddable
		}
		look, err := view.Appearance(x.ctx(), x.wantedLocale(p.Config.Locale))
		if err != nil {
			return err
		}
		x.session = session
		x.setAppearance(look)
		return x.withView(view, show)
	})
	switch {
	case isGood:
		return err
	case errors.Is(err, portal.ErrSessionUnknown) && x.h.db.Now().Before(until):
		return portal.ErrDeleted // otherwise the store would still have the session
	case errors.Is(err, portal.ErrSessionUnknown) && !until.IsZero():
		return portal.ErrSessionAged
	case session == nil:
		return err
	}
	p := session.Portal()
	if err := x.identify(p, name); err != nil {
		return err
	}
	x.shutPortal = p
	return err
}

// identify remembers the name of the portal's customer for error pages. It returns an error if the cookie belongs to
// another portal.
func (x *exchange) identify(p portal.CustomerPortal, name string) error {
	if shortName(p) != name {
		return portal.ErrSessionUnknown
	}
	if p.Config.IsEmbedded || !x.framed() {
		x.customerName = p.CustomerName // a page shows no name in a frame that the portal does not allow
	}
	return nil
}

// withView calls fn with x.view set to view.
func (x *exchange) withView(view *portal.View, fn func() error) error {
	x.view = view
	defer func() { x.view = nil }()
	return fn()
}

// inView calls fn with x.view set to a View of the current state. fn must not write. Only a POST needs it, because
// withSession already runs a GET in a View.
func (x *exchange) inView(fn func() error) error {
	return x.session.View(x.ctx(), func(view *portal.View) error { return x.withView(view, fn) })
}

// respond sets the response and replaces an earlier one. ServeHTTP sends it after all Views have ended, so that a
// visitor with a slow connection does not keep a snapshot of the store open.
func (x *exchange) respond(status int, contentType string, body []byte) {
	header := x.w.Header()
	header.Del("Location")
	header.Del("Content-Type")
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	x.status, x.body = status, body
}

// answered reports whether the response is set.
func (x *exchange) answered() bool { return x.status != 0 }

// send sends the response.
func (x *exchange) send() {
	if !x.answered() {
		return // the client has closed the connection
	}
	if x.asset != "" || mayCompress(x.r) {
		x.compressBody()
	}
	if len(x.body) > 0 {
		x.w.Header().Set("Content-Length", strconv.Itoa(len(x.body)))
	}
	x.w.WriteHeader(x.status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(x.body) // the client may have closed the connection
	}
}

// framed reports whether the browser requests the page for a frame.
func (x *exchange) framed() bool {
	return slices.Contains([]string{"iframe", "frame", "embed", "object"}, x.r.Header.Get("Sec-Fetch-Dest"))
}

// config returns the configuration of the open portal.
func (x *exchange) config() portal.Config { return x.session.Portal().Config }

// query returns the query part of a URL, with its question mark.
func query(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// redirect redirects to a path of this handler.
func (x *exchange) redirect(path string) {
	x.respond(http.StatusSeeOther, "", nil)
	x.w.Header().Set("Location", path)
}

// redirectTo redirects to a page of the portal. pairs are names and values of the query.
func (x *exchange) redirectTo(path string, pairs ...string) error {
	x.redirect(x.link(path, pairs...))
	return nil
}

// link returns the path of a page of the portal. pairs are names and values of the query; empty values are left out.
func (x *exchange) link(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return x.home + path + query(q)
}
