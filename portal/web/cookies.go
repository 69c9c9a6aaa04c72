package web

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/internal/base64url"
	"github.com/customerportal-go/customerportal/portal"
)

// A browser can have several portals open at once, as a host's page with two frames
// does, so each has a cookie of its own, named for the portal. The path of its pages
// says which one it is: "p/", and the same name.

// shortName is the name of a portal in paths and cookies. It tells portals of one
// browser apart, and opens nothing.
func shortName(p portal.CustomerPortal) string { return hex.EncodeToString(p.ID[10:]) }

const (
	localeCookie  = "locale"
	browserCookie = "browser"
	maxPortals    = 20 // open in one browser at once
)

// cookieName is a name with what makes browsers hold to the cookie's attributes.
func (h *Handler) cookieName(name string) string {
	switch {
	case !h.secure: // on this machine, or on a private network for development
		return "portal-" + name
	case h.prefix == "/":
		return "__Host-portal-" + name
	}
	return "__Secure-portal-" + name
}

// cookie returns the value of a cookie, or "" if there is none.
func (v *visit) cookie(name string) string {
	c, err := v.r.Cookie(v.h.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie sets a cookie until a time; the zero time takes it away.
func (v *visit) setCookie(name, value string, until time.Time, embedded bool) {
	c := &http.Cookie{
		Name: v.h.cookieName(name), Value: value, Path: v.h.prefix, HttpOnly: true,
		Secure: v.h.secure, SameSite: http.SameSiteLaxMode, MaxAge: -1,
	}
	if !until.IsZero() {
		c.MaxAge = max(1, int(until.Sub(v.h.db.Now())/time.Second))
	}
	if embedded { // browsers take such a cookie with Secure only, and from this machine too
		c.Secure, c.SameSite, c.Partitioned = true, http.SameSiteNoneMode, true
	}
	http.SetCookie(v.w, c)
}

// A cookie with a time holds a secret and, after a point, when that ends, in unix seconds
// to base 36. The time says what happened to a secret that the store does not know
// anymore. It is not signed: a visitor who changes it is told something else, and opens
// nothing.

// secretBytes is the number of random bytes in the token of a session and in the secret of a
// browser.
const secretBytes = 16

// timedCookie reads the secret and the time of a cookie. Both are zero if the browser
// sends no such cookie or one that this handler did not set; a cookie without a time has
// the zero time.
func (v *visit) timedCookie(name string) (secret string, until time.Time) {
	secret, end, timed := strings.Cut(v.cookie(name), ".")
	if b, ok := base64url.Decode(secret); !ok || len(b) != secretBytes {
		return "", time.Time{}
	}
	if seconds, err := strconv.ParseInt(end, 36, 64); timed && err == nil && seconds > 0 {
		until = time.Unix(seconds, 0)
	}
	return secret, until
}

// setTimedCookie sets a cookie with a secret and its end, and keeps it for some time more.
func (v *visit) setTimedCookie(name, secret string, until time.Time, grace time.Duration, embedded bool) {
	v.setCookie(name, secret+"."+strconv.FormatInt(until.Unix(), 36), until.Add(grace), embedded)
}

// browser identifies a browser. The secret shows that the browser keeps cookies, and is the
// holder of the uses of links that were counted for it. It opens nothing without the code of
// a link.
type browser struct {
	secret string // empty for a browser that sent none
	until  time.Time
}

// browser reads the cookie that identifies the browser.
func (v *visit) browser() (b browser) {
	b.secret, b.until = v.timedCookie(browserCookie)
	return b
}

// keepBrowser sets the cookie that identifies the browser, so that it lasts at least until a
// portal expires.
func (v *visit) keepBrowser(b browser, p portal.CustomerPortal) {
	if b.secret == "" {
		var random [secretBytes]byte
		_, _ = rand.Read(random[:]) // never fails
		b = browser{secret: base64url.Encode(random[:])}
	}
	if b.until.Before(p.ExpiresAt) {
		v.setTimedCookie(browserCookie, b.secret, p.ExpiresAt, 0, p.Config.IsEmbedded)
	}
}

// makeRoom takes away cookies of other portals where there are too many.
func (v *visit) makeRoom(embedded bool) {
	prefix := v.h.cookieName("")
	open := 0
	for _, c := range v.r.Cookies() {
		name, ours := strings.CutPrefix(c.Name, prefix)
		if !ours || name == localeCookie || name == browserCookie {
			continue
		}
		if open++; open >= maxPortals {
			v.setCookie(name, "", time.Time{}, embedded)
		}
	}
}
