package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/portal"
)

// visit is one request and what is known about the visitor.
type visit struct {
	h *Handler
	w http.ResponseWriter
	r *http.Request

	session *portal.Session // nil where none is open
	view    *portal.View    // what the page reads; nil outside of find and read
	look    portal.Appearance
	speech  *speech
	section string // of the navigation
	home    string // the path of the portal's pages, with a slash at its end

	customer     string                // name of the customer whose session the browser has, open or over
	ended        portal.CustomerPortal // whose session was found over; zero if none was
	resending    []input               // of a form that was sent to it
	chosenLocale string                // by this request

	status    int    // of the answer; 0 until there is one
	body      []byte // of the answer
	relocaled bool   // the visitor changed the language of a form
}

// page is a page of an open portal.
type page struct {
	section string

	// show answers a GET. It reads in the View in which the session was found, so that the
	// page is made of one state of the store, unless the page is a host's.
	show func(*visit) error
	save func(*visit) error // answers a POST, and reads within visit.read; nil takes none
	host bool               // show calls the host, which may take long, and not the View
}

// ctx is the context of the request.
func (v *visit) ctx() context.Context { return v.r.Context() }

// inPortal answers for a path under "p/".
func (v *visit) inPortal(rest string) {
	name, path, _ := strings.Cut(rest, "/")
	v.home = v.h.prefix + "p/" + name + "/"
	p, known := v.h.pages[path]
	isPost := v.r.Method == http.MethodPost
	err := v.find(name, func() error {
		v.section = p.section
		switch {
		case path == themePath:
			v.theme()
			return nil
		case !known:
			return errUnknownPage
		case isPost || p.host:
			return nil
		}
		return p.show(v)
	})
	if err != nil {
		if errors.Is(err, portal.ErrSessionOver) {
			v.resending = v.resend(path)
		}
		v.refuse(err)
		return
	}
	if v.answered() {
		return
	}
	if !isPost {
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
	if v.r.PostForm.Has(relocaleField) && slices.Contains(formPages, path) {
		if err := v.relocale(); err != nil {
			v.refuse(err)
			return
		}
	}
	v.refuse(p.save(v))
}

// find finds the session by the cookie of a portal, and calls show with v.view set to a View
// of the state in which it found the session. It returns the error of show.
func (v *visit) find(name string, show func() error) error {
	token, until := v.timedCookie(name)
	if token == "" {
		return portal.ErrSessionUnknown
	}
	isGood := false
	session, err := v.h.portals.ViewSession(v.ctx(), token, func(session *portal.Session, view *portal.View) error {
		isGood = true
		p := session.Portal()
		if err := v.meet(p, name); err != nil {
			return err
		}
		if p.Config.IsEmbedded {
			allowFrame(v.w.Header(), p.Config)
		} else if v.framed() {
			return errWrongMode
		}
		look, err := view.Appearance(v.ctx(), v.wantedLocale(p.Config.Locale))
		if err != nil {
			return err
		}
		v.session = session
		v.setLook(look)
		return v.with(view, show)
	})
	switch {
	case isGood:
		return err
	case errors.Is(err, portal.ErrSessionUnknown) && v.h.db.Now().Before(until):
		return portal.ErrDeleted // or its row would still be there
	case errors.Is(err, portal.ErrSessionUnknown) && !until.IsZero():
		return portal.ErrSessionAged
	case session == nil:
		return err
	}
	p := session.Portal()
	if err := v.meet(p, name); err != nil {
		return err
	}
	v.ended = p
	return err
}

// meet takes the customer's name from the portal of the session, and returns an error if the
// cookie was that of another portal.
func (v *visit) meet(p portal.CustomerPortal, name string) error {
	if shortName(p) != name {
		return portal.ErrSessionUnknown
	}
	if p.Config.IsEmbedded || !v.framed() {
		v.customer = p.CustomerName // a page in a frame that is not made for one shows nobody's name
	}
	return nil
}

// with calls fn with v.view set.
func (v *visit) with(view *portal.View, fn func() error) error {
	v.view = view
	defer func() { v.view = nil }()
	return fn()
}

// read calls fn with v.view set to a View of the current state. fn must not write. Only a
// POST needs it: the page of a GET is shown by find.
func (v *visit) read(fn func() error) error {
	return v.session.View(v.ctx(), func(view *portal.View) error { return v.with(view, fn) })
}

// respond sets the answer, in place of an earlier one. It is sent by send, when nothing is
// read from the store any more: a visitor on a slow connection keeps no snapshot open.
func (v *visit) respond(status int, contentType string, body []byte) {
	header := v.w.Header()
	header.Del("Location")
	header.Del("Content-Type")
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	v.status, v.body = status, body
}

// answered reports whether there is an answer.
func (v *visit) answered() bool { return v.status != 0 }

// send sends the answer.
func (v *visit) send() {
	if !v.answered() {
		return // the visitor has gone
	}
	v.w.WriteHeader(v.status)
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(v.body) // a visitor who has gone is told nothing
	}
}

// framed reports whether the browser says that it asks for a page for a frame.
func (v *visit) framed() bool {
	return slices.Contains([]string{"iframe", "frame", "embed", "object"}, v.r.Header.Get("Sec-Fetch-Dest"))
}

// config is the configuration of the open portal.
func (v *visit) config() portal.Config { return v.session.Portal().Config }

// query is a query as it follows a path.
func query(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// redirect leads to a path of this handler.
func (v *visit) redirect(path string) {
	v.respond(http.StatusSeeOther, "", nil)
	v.w.Header().Set("Location", path)
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

// Pages of what was done say so after a redirect.
const doneParam = "done"

// doneTexts are the texts that it can be.
var doneTexts = map[string]string{
	"created": "done.created", "saved": "done.saved", "cancelled": "done.cancelled", "added": "done.added",
	"removed": "done.removed", "renamed": "done.renamed", "moved": "done.moved", "deleted": "done.deleted",
	"connected": "done.connected", "disconnected": "done.disconnected",
}

// done leads to a page that says what was done.
func (v *visit) done(what, path string, pairs ...string) error {
	return v.to(path, append([]string{doneParam, what}, pairs...)...)
}
