package web

import (
	"net/http"
	"strings"

	"github.com/customerportal-go/customerportal/portal"
)

// policy is the Content-Security-Policy of every response, but for who may frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "

// setHeaders sets what every response has. Nobody may frame it, until allowFrame says so.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy+"'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// allowFrame makes a response one of a portal that is for an iframe.
func allowFrame(h http.Header, c portal.Config) {
	ancestors := "*"
	if len(c.FrameOrigins) > 0 {
		ancestors = strings.Join(c.FrameOrigins, " ")
	}
	h.Set("Content-Security-Policy", policy+ancestors)
	h.Del("X-Frame-Options")
	h.Del("Cross-Origin-Opener-Policy")
}
