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

// A browser can have several portals open at once, for example in two frames of a host's page. Each portal therefore has
// a cookie of its own, which is named after the short name of the portal. The paths of its pages contain the same name:
// "p/SHORTNAME/".

// shortName returns the name of a portal in paths and cookies. It distinguishes the portals of one browser. It is not a
// secret.
func shortName(p portal.CustomerPortal) string { return hex.EncodeToString(p.ID[10:]) }

const (
	localeCookie  = "locale"
	browserCookie = "browser"
	maxPortals    = 20 // per browser
)

// cookieName returns the full name of a cookie, with the prefix that makes browsers enforce the cookie's attributes.
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
func (x *exchange) cookie(name string) string {
	c, err := x.r.Cookie(x.h.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie sets a cookie that expires at a time. The zero time removes the cookie.
func (x *exchange) setCookie(name, value string, until time.Time, embedded bool) {
	c := &http.Cookie{
		Name: x.h.cookieName(name), Value: value, Path: x.h.prefix, HttpOnly: true,
		Secure: x.h.secure, SameSite: http.SameSiteLaxMode, MaxAge: -1,
	}
	if !until.IsZero() {
		c.MaxAge = max(1, int(until.Sub(x.h.db.Now())/time.Second))
	}
	if embedded { // browsers accept these attributes only with Secure, which works for localhost too
		c.Secure, c.SameSite, c.Partitioned = true, http.SameSiteNoneMode, true
	}
	http.SetCookie(x.w, c)
}

// The value of a cookie with an expiry is a secret, a full stop, and the end of the session in Unix seconds in base 36. With
// the expiry, an error page can explain why the store does not know the session any more. The value is not signed: a visitor
// who changes it only gets another explanation.

// secretBytes is the number of random bytes in a session token and in the secret of a browser.
const secretBytes = 16

// secretCookie returns the secret and the expiry of a cookie. Both are zero if the browser sent no such cookie, or one
// with another format. The expiry is zero for a cookie without one.
func (x *exchange) secretCookie(name string) (secret string, until time.Time) {
	secret, end, timed := strings.Cut(x.cookie(name), ".")
	if b, ok := base64url.Decode(secret); !ok || len(b) != secretBytes {
		return "", time.Time{}
	}
	if seconds, err := strconv.ParseInt(end, 36, 64); timed && err == nil && seconds > 0 {
		until = time.Unix(seconds, 0)
	}
	return secret, until
}

// setSecretCookie sets a cookie with a secret and its expiry. The browser keeps the cookie until grace after the expiry.
func (x *exchange) setSecretCookie(name, secret string, until time.Time, grace time.Duration, embedded bool) {
	x.setCookie(name, secret+"."+strconv.FormatInt(until.Unix(), 36), until.Add(grace), embedded)
}

// browser identifies a browser. The secret shows that the browser keeps cookies, and is the holder of the uses of links. The
// secret opens nothing without the code of a link.
type browser struct {
	secret string // "" for a browser that sent none
	until  time.Time
}

// browser returns the identity that the browser sent.
func (x *exchange) browser() (b browser) {
	b.secret, b.until = x.secretCookie(browserCookie)
	return b
}

// setBrowserCookie sets the cookie that identifies the browser, unless the browser already keeps it until the portal expires.
func (x *exchange) setBrowserCookie(b browser, p portal.CustomerPortal) {
	if b.secret == "" {
		var random [secretBytes]byte
		_, _ = rand.Read(random[:]) // it never fails
		b = browser{secret: base64url.Encode(random[:])}
	}
	if b.until.Before(p.ExpiresAt) {
		x.setSecretCookie(browserCookie, b.secret, p.ExpiresAt, 0, p.Config.IsEmbedded)
	}
}

// evictCookies removes cookies of other portals if there are too many.
func (x *exchange) evictCookies(embedded bool) {
	prefix := x.h.cookieName("")
	open := 0
	for _, c := range x.r.Cookies() {
		name, ours := strings.CutPrefix(c.Name, prefix)
		if !ours || name == localeCookie || name == browserCookie || name == siteCookie || strings.HasPrefix(name, noticeCookie) || strings.HasPrefix(name, undoCookie) {
			continue
		}
		if open++; open >= maxPortals {
			x.setCookie(name, "", time.Time{}, embedded)
		}
	}
}
