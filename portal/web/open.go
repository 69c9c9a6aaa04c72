package web

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/link"
)

// serveLink serves a path that may be the code of a link.
//
// It opens a session only for a browser that keeps cookies, which the browser shows by returning the cookie of
// [exchange.setBrowserCookie]. Therefore a browser without cookies wastes no use of a link, and a program that follows
// links without keeping cookies opens nothing.
//
// A link without MaxUses opens at once, after one redirect to itself for the cookie. A link with MaxUses first shows a
// page with a button, because mail scanners follow links but do not submit forms. The use is counted for the browser,
// which may open the link again until the portal expires. A link preview gets a page with a button and no cookie.
func (x *exchange) serveLink(path string) {
	code := portal.Code(path)
	// A path of another length does not count as an attempt to guess a code.
	if len(code) != link.CodeLength || !strings.HasPrefix(path, code) {
		x.notFound()
		return
	}
	client := clientPrefix(x.r, x.h.options.TrustedProxies)
	if wait := x.h.limiter.reserve(client); wait > 0 {
		x.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		x.showProblem(http.StatusTooManyRequests, problem{Key: "slow"})
		return
	}
	if errors.Is(x.h.portals.Verify(code), portal.ErrForged) {
		x.notFound()
		return
	}
	x.h.limiter.refund(client) // before reading the store, which can block for long
	isPost := x.r.Method == http.MethodPost
	if path != code && !isPost { // the path continues after the code, for example with punctuation
		x.redirect(x.h.prefix + code)
		return
	}
	browser := x.browser()
	p, held, err := x.h.portals.Peek(x.ctx(), code, portal.Secret(browser.secret))
	found := p.WorkspaceID != [16]byte{}
	if found && p.Config.IsEmbedded {
		allowFrame(x.w.Header(), p.Config)
	}
	if found && (err == nil || errors.Is(err, portal.ErrUsedUp)) && x.resumeSession(p) {
		return
	}
	x.localizer, x.shutPortal = x.h.newLocalizer(x.linkLocale(p), nil), p
	known := browser.secret != ""
	asksForClick := p.MaxUses > 0 && !held
	switch {
	case found && !p.Config.IsEmbedded && x.framed():
		allowFrame(x.w.Header(), portal.Config{}) // the page contains nothing but a way out of the frame
		x.showProblem(http.StatusForbidden, problem{Key: "mode", TabURL: x.h.prefix + code})
	case err != nil:
		x.showError(err)
	case !known && (x.isCookieProbe() || isPost && asksForClick && x.r.PostFormValue(previewField) == ""):
		x.showNoCookies(code, p)
	case x.r.Method == http.MethodHead:
		x.respond(http.StatusOK, contentType, nil)
	case !isPost && (isPrefetch(x.r) || !known && isPreviewAgent(x.r)):
		x.render(http.StatusOK, "preview", "click.title", nil)
	case asksForClick && !(isPost && known):
		x.setBrowserCookie(browser, p)
		x.render(http.StatusOK, "click", "click.title", p)
	case !known:
		x.setBrowserCookie(browser, p)
		x.redirect(x.h.prefix + code + "?" + probeParam + "=" + strconv.FormatInt(x.h.db.Now().Unix(), 10))
	default:
		x.openSession(code, p, portal.Secret(browser.secret))
	}
}

const (
	// probeParam is the query parameter that marks the redirect which finds out whether the browser keeps cookies. Its
	// value is the time of the redirect in Unix seconds. The URL may be copied or bookmarked, so the parameter is
	// ignored after probeTimeout.
	probeParam   = "again"
	probeTimeout = time.Minute

	// previewField is an input of the page for link previews, which sets no cookie.
	previewField = "preview"
)

// isCookieProbe reports whether the request follows the redirect that finds out whether the browser keeps cookies.
func (x *exchange) isCookieProbe() bool {
	at, err := strconv.ParseInt(x.r.URL.Query().Get(probeParam), 10, 64)
	if err != nil {
		return false
	}
	age := x.h.db.Now().Sub(time.Unix(at, 0))
	return age >= 0 && age < probeTimeout
}

// resumeSession redirects to the portal if it is already open in the browser. It reports whether it did.
func (x *exchange) resumeSession(p portal.CustomerPortal) bool {
	token, _ := x.secretCookie(shortName(p))
	if token == "" {
		return false
	}
	var first data.Ref
	var firstErr error
	isSame := false
	session, err := x.h.portals.ViewSession(x.ctx(), token, func(session *portal.Session, view *portal.View) error {
		if isSame = session.Portal().ID == p.ID; isSame {
			first, firstErr = view.LandingPage(x.ctx())
		}
		return nil
	})
	if err != nil || !isSame {
		return false // the session has ended; the link may open another one
	}
	x.redirectToLandingPage(session, first, firstErr)
	return true
}

// openSession opens a session for a browser that keeps cookies.
func (x *exchange) openSession(code string, p portal.CustomerPortal, holder portal.Secret) {
	session, err := x.h.portals.OpenSession(x.ctx(), code, holder)
	if err != nil {
		x.showError(err)
		return
	}
	x.evictCookies(p.Config.IsEmbedded)
	x.setSecretCookie(shortName(p), session.Token().Reveal(), session.ExpiresAt(), cookieGrace, p.Config.IsEmbedded)
	var first data.Ref
	err = session.View(x.ctx(), func(view *portal.View) error {
		first, err = view.LandingPage(x.ctx())
		return err
	})
	x.redirectToLandingPage(session, first, err)
}

// redirectToLandingPage redirects to the first page of a session. err is the error of reading the landing page.
func (x *exchange) redirectToLandingPage(session *portal.Session, first data.Ref, err error) {
	if err != nil {
		x.showError(err)
		return
	}
	x.session, x.home = session, x.h.prefix+"p/"+shortName(session.Portal())+"/"
	if session.IsGuestLink() {
		x.redirect(x.link(pageStay))
		return
	}
	if pageOf(first) != "" {
		x.redirect(x.resourcePath(first))
		return
	}
	x.redirect(x.home)
}

// cookieGrace is the time for which a cookie is kept after the end of its session, so that an error page can explain why
// the session ended.
const cookieGrace = 24 * time.Hour

// showNoCookies responds to a browser that does not keep cookies. The browser may keep them in a new tab or with other
// settings, so the page offers the link again.
func (x *exchange) showNoCookies(code string, p portal.CustomerPortal) {
	if p.Config.IsEmbedded {
		x.showProblem(http.StatusForbidden, problem{Key: "frame", TabURL: x.h.prefix + code, ReturnURL: p.Config.ReturnURL})
		return
	}
	x.showProblem(http.StatusForbidden, problem{Key: "cookies", LinkURL: x.h.prefix + code, ReturnURL: p.Config.ReturnURL})
}

// linkLocale returns the locale of a page about a link.
func (x *exchange) linkLocale(p portal.CustomerPortal) string {
	if locale := x.wantedLocale(p.Config.Locale); locale != "" {
		return locale
	}
	return portal.Locales()[0]
}
