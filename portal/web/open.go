package web

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/customerportal-go/customerportal/portal"
)

// codeLength is that of every code. What is not so long was no guess.
const codeLength = 33

// link answers for what may be the code of a link. Looking at a link uses nothing of it:
// one that may be used so and so often asks for a click.
func (v *visit) link(code string) {
	if len(code) != codeLength {
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
	p, err := v.h.portals.Peek(v.ctx(), code)
	found := p.WorkspaceID != [16]byte{}
	if found && p.Config.IsEmbedded {
		allowFrame(v.w.Header(), p.Config)
	}
	if found && (err == nil || errors.Is(err, portal.ErrUsedUp)) && v.goOn(p) {
		return
	}
	v.speech = v.h.speech(v.errorLocale(p), nil)
	again := v.r.URL.Query().Has(againParam)
	switch {
	case found && !p.Config.IsEmbedded && v.framed():
		allowFrame(v.w.Header(), portal.Config{}) // there is nothing on the page but a way out
		v.fail(http.StatusForbidden, problem{Key: "mode", TabURL: v.h.prefix + code})
	case found && again && (err == nil || errors.Is(err, portal.ErrUsedUp)):
		v.noCookie(code, p)
	case err != nil:
		v.refuseLink(err, p)
	case v.r.Method == http.MethodHead:
		v.w.Header().Set("Content-Type", contentType)
		v.w.WriteHeader(http.StatusOK)
	case v.r.Method == http.MethodPost && p.Config.IsEmbedded && p.MaxUses > 0 && v.cookie(probeCookie) == "":
		v.noCookie(code, p) // before a use is lost
	case v.r.Method == http.MethodGet && p.MaxUses > 0:
		if p.Config.IsEmbedded {
			v.setCookie(probeCookie, "1", v.h.o.Now().Add(time.Hour), true)
		}
		v.render(http.StatusOK, "click", "click.title", p)
	default:
		v.open(code, p)
	}
}

// againParam marks the request that finds out whether the browser kept the cookie.
const againParam = "again"

// goOn leads to the portal where the browser has it open.
func (v *visit) goOn(p portal.CustomerPortal) bool {
	token := v.cookie(shortName(p))
	if token == "" {
		return false
	}
	session, err := v.h.portals.Session(v.ctx(), token)
	if err != nil || session.Portal().ID != p.ID {
		return false // it is over; the link may open another
	}
	v.session, v.home = session, v.h.prefix+"p/"+shortName(p)+"/"
	if err := v.land(); err != nil {
		v.session = nil
		v.refuse(err)
	}
	return true
}

// open begins a session.
func (v *visit) open(code string, p portal.CustomerPortal) {
	session, err := v.h.portals.OpenSession(v.ctx(), code)
	if err != nil {
		v.refuseLink(err, p)
		return
	}
	v.makeRoom(p.Config.IsEmbedded)
	v.setCookie(shortName(p), session.Token().Reveal(), session.ExpiresAt().Add(cookieGrace), p.Config.IsEmbedded)
	v.redirect(v.h.prefix + code + "?" + againParam + "=1")
}

// cookieGrace is how much longer than a session its cookie is kept, so that a visitor is
// told that the portal has expired, and not only that nothing is open.
const cookieGrace = 24 * time.Hour

// land leads to the page that the portal opens with.
func (v *visit) land() error {
	ref, err := v.session.LandingPage(v.ctx())
	if err != nil {
		return err
	}
	if page := pageOf(ref); page != "" {
		return v.to(page, "key", ref.Key)
	}
	return v.to("")
}

// noCookie tells of a browser that keeps no cookie here. In a new tab it may.
func (v *visit) noCookie(code string, p portal.CustomerPortal) {
	if p.Config.IsEmbedded {
		v.fail(http.StatusForbidden, problem{Key: "frame", TabURL: v.h.prefix + code, ReturnURL: p.Config.ReturnURL})
		return
	}
	v.fail(http.StatusForbidden, problem{Key: "cookies", ReturnURL: p.Config.ReturnURL})
}

// refuseLink tells why a link opens nothing. Its portal, where that is known still, says
// where to go.
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

// end ends the session.
func end(v *visit) error {
	if err := v.session.End(v.ctx()); err != nil {
		return err
	}
	c := v.config()
	v.setCookie(shortName(v.session.Portal()), "", time.Time{}, c.IsEmbedded)
	v.session = nil
	v.fail(http.StatusOK, problem{Key: "ended", ReturnURL: c.ReturnURL})
	return nil
}
