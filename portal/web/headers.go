package web

import (
	"net/http"
	"strings"

	"github.com/customerportal-go/customerportal/portal"
)

// policy is the Content-Security-Policy of every response, without the value of frame-ancestors.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "

// setHeaders sets the headers of every response. No page can be framed unless allowFrame is called.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy+"'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// allowFrame allows the origins of a portal's configuration to show the response in a frame.
func allowFrame(h http.Header, c portal.Config) {
	ancestors := "*"
	if len(c.FrameOrigins) > 0 {
		ancestors = strings.Join(c.FrameOrigins, " ")
	}
	h.Set("Content-Security-Policy", policy+ancestors)
	h.Del("X-Frame-Options")
	h.Del("Cross-Origin-Opener-Policy")
}
