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
)

// codeLength is the length of every code. A path of another length is no guess of a code.
const codeLength = 33

// link answers for a path that may be the code of a link.
//
// A session begins only for a browser that has shown that it keeps cookies, by sending
// back the one that [visit.keepBrowser] sets: so a browser without cookies loses no use
// of a link, and a program that follows links without keeping cookies opens nothing. A
// link without a MaxUses opens at once, with one redirect to itself for the cookie. One
// with a MaxUses shows a page that asks for a click, since programs that scan mail follow
// links but submit no forms; its use is counted for the browser, which may open the link
// again until the portal expires. A preview gets a page with a button, and no cookie.
func (v *visit) link(path string) {
	code := portal.Code(path)
	if len(code) != codeLength || !strings.HasPrefix(path, code) {
		v.notFound()
		return
	}
	who := visitor(v.r, v.h.o.TrustedProxies)
	if wait := v.h.guesses.take(who); wait > 0 {
		v.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		v.fail(http.StatusTooManyRequests, problem{Key: "slow"})
		return
	}
	if errors.Is(v.h.portals.Verify(code), portal.ErrForged) {
		v.notFound()
		return
	}
	v.h.guesses.back(who) // before the store is read, for which many may wait at once
	isPost := v.r.Method == http.MethodPost
	if path != code && !isPost { // something follows the code that is not part of it
		v.redirect(v.h.prefix + code)
		return
	}
	browser := v.browser()
	p, held, err := v.h.portals.PeekAs(v.ctx(), code, portal.Secret(browser.secret))
	found := p.WorkspaceID != [16]byte{}
	if found && p.Config.IsEmbedded {
		allowFrame(v.w.Header(), p.Config)
	}
	if found && (err == nil || errors.Is(err, portal.ErrUsedUp)) && v.goOn(p) {
		return
	}
	v.speech = v.h.speech(v.errorLocale(p), nil)
	known := browser.secret != ""
	asksForClick := p.MaxUses > 0 && !held
	switch {
	case found && !p.Config.IsEmbedded && v.framed():
		allowFrame(v.w.Header(), portal.Config{}) // there is nothing on the page but a way out
		v.fail(http.StatusForbidden, problem{Key: "mode", TabURL: v.h.prefix + code})
	case err != nil:
		v.refuseLink(err, p)
	case !known && (v.wasSentBack() || isPost && asksForClick && v.r.PostFormValue(previewField) == ""):
		v.noCookie(code, p)
	case v.r.Method == http.MethodHead:
		v.respond(http.StatusOK, contentType, nil)
	case !isPost && (isPrefetch(v.r) || !known && isPreviewAgent(v.r)):
		v.render(http.StatusOK, "preview", "click.title", nil)
	case asksForClick && !(isPost && known):
		v.keepBrowser(browser, p)
		v.render(http.StatusOK, "click", "click.title", p)
	case !known:
		v.keepBrowser(browser, p)
		v.redirect(v.h.prefix + code + "?" + againParam + "=" + strconv.FormatInt(v.h.db.Now().Unix(), 10))
	default:
		v.open(code, p, portal.Secret(browser.secret))
	}
}

const (
	// againParam says when the request was redirected to find out whether the browser keeps
	// cookies, in unix seconds. The URL may be copied or kept: after againTime the parameter
	// has no meaning, so a link with it opens as one without it.
	againParam = "again"
	againTime  = time.Minute

	// previewField is in the form of the page for previews, which sets no cookie.
	previewField = "preview"
)

// wasSentBack reports whether the request is the one that finds out whether the browser
// keeps cookies.
func (v *visit) wasSentBack() bool {
	at, err := strconv.ParseInt(v.r.URL.Query().Get(againParam), 10, 64)
	if err != nil {
		return false
	}
	age := v.h.db.Now().Sub(time.Unix(at, 0))
	return age >= 0 && age < againTime
}

// goOn redirects to the portal if the browser has it open already, and reports whether it did.
func (v *visit) goOn(p portal.CustomerPortal) bool {
	token, _ := v.timedCookie(shortName(p))
	if token == "" {
		return false
	}
	var first data.Ref
	var firstErr error
	isSame := false
	session, err := v.h.portals.ViewSession(v.ctx(), token, func(session *portal.Session, view *portal.View) error {
		if isSame = session.Portal().ID == p.ID; isSame {
			first, firstErr = view.LandingPage(v.ctx())
		}
		return nil
	})
	if err != nil || !isSame {
		return false // it is over; the link may open another
	}
	v.enter(session, first, firstErr)
	return true
}

// open begins a session for a browser that keeps cookies.
func (v *visit) open(code string, p portal.CustomerPortal, holder portal.Secret) {
	session, err := v.h.portals.OpenSessionAs(v.ctx(), code, holder)
	if err != nil {
		v.refuseLink(err, p)
		return
	}
	v.makeRoom(p.Config.IsEmbedded)
	v.setTimedCookie(shortName(p), session.Token().Reveal(), session.ExpiresAt(), cookieGrace, p.Config.IsEmbedded)
	var first data.Ref
	err = session.View(v.ctx(), func(view *portal.View) error {
		first, err = view.LandingPage(v.ctx())
		return err
	})
	v.enter(session, first, err)
}

// enter leads to the first page of a session, or shows why that could not be read.
func (v *visit) enter(session *portal.Session, first data.Ref, err error) {
	if err != nil {
		v.refuse(err)
		return
	}
	v.session, v.home = session, v.h.prefix+"p/"+shortName(session.Portal())+"/"
	if page := pageOf(first); page != "" {
		v.redirect(v.Link(page, "key", first.Key))
		return
	}
	v.redirect(v.home)
}

// cookieGrace is how much longer than a session its cookie is kept, so that a visitor is
// told why the session is over, and not only that nothing is open.
const cookieGrace = 24 * time.Hour

// noCookie shows the page for a browser that does not keep cookies here. It may keep them in
// a new tab or with other settings, so the page offers the link again.
func (v *visit) noCookie(code string, p portal.CustomerPortal) {
	if p.Config.IsEmbedded {
		v.fail(http.StatusForbidden, problem{Key: "frame", TabURL: v.h.prefix + code, ReturnURL: p.Config.ReturnURL})
		return
	}
	v.fail(http.StatusForbidden, problem{Key: "cookies", LinkURL: v.h.prefix + code, ReturnURL: p.Config.ReturnURL})
}

// refuseLink shows why a link does not open. If its portal is still known, the page offers
// the portal's return URL.
func (v *visit) refuseLink(err error, p portal.CustomerPortal) {
	for _, row := range problems {
		if errors.Is(err, row.err) {
			v.fail(row.status, problem{Key: row.key, ReturnURL: p.Config.ReturnURL})
			return
		}
	}
	v.refuse(err)
}

// errorLocale is the language of a page about a link.
func (v *visit) errorLocale(p portal.CustomerPortal) string {
	if locale := v.wantedLocale(p.Config.Locale); locale != "" {
		return locale
	}
	return portal.Locales()[0]
}
