package web

import (
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/portal"
)

// A browser can have several portals open at once, as a host's page with two frames
// does, so each has a cookie of its own, named for the portal. The path of its pages
// says which one it is: "p/", and the same name.

// shortName is the name of a portal in paths and cookies. It tells portals of one
// browser apart, and opens nothing.
func shortName(p portal.CustomerPortal) string { return hex.EncodeToString(p.ID[10:]) }

const (
	localeCookie = "locale"
	probeCookie  = "probe"
	maxPortals   = 20 // open in one browser at once
)

// cookieName is a name with what makes browsers hold to the cookie's attributes.
func (h *Handler) cookieName(name string) string {
	switch {
	case !h.secure: // on this machine alone
		return "portal-" + name
	case h.prefix == "/":
		return "__Host-portal-" + name
	}
	return "__Secure-portal-" + name
}

// cookie reads a cookie; empty where there is none.
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
		c.MaxAge = max(1, int(until.Sub(v.h.o.Now())/time.Second))
	}
	if embedded { // browsers take such a cookie with Secure only, and from this machine too
		c.Secure, c.SameSite, c.Partitioned = true, http.SameSiteNoneMode, true
	}
	http.SetCookie(v.w, c)
}

// makeRoom takes away cookies of other portals where there are too many.
func (v *visit) makeRoom(embedded bool) {
	prefix := v.h.cookieName("")
	open := 0
	for _, c := range v.r.Cookies() {
		name, ours := strings.CutPrefix(c.Name, prefix)
		if !ours || name == localeCookie || name == probeCookie {
			continue
		}
		if open++; open >= maxPortals {
			v.setCookie(name, "", time.Time{}, embedded)
		}
	}
}
