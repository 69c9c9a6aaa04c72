package main

import (
	"crypto/rand"
	"html/template"
	"net/http"
	"sync"
)

// logins is the backend's own login, as simple as it can be: it asks for no password.
type logins struct {
	mu    sync.Mutex
	users map[string]string // by the token in the cookie
}

const loginCookie = "backend_login"

func newLogins() *logins { return &logins{users: map[string]string{}} }

// user is who asks; empty is nobody who has logged in.
func (l *logins) user(r *http.Request) string {
	cookie, err := r.Cookie(loginCookie)
	if err != nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.users[cookie.Value]
}

func (l *logins) begin(user string) *http.Cookie {
	token := rand.Text()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users[token] = user
	return &http.Cookie{Name: loginCookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

func (b *backend) login(w http.ResponseWriter, r *http.Request) {
	if name := r.PostFormValue("name"); b.users[name] != "" {
		http.SetCookie(w, b.logins.begin(name))
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

var page = template.Must(template.New("start").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Backend</title>
{{if .}}<p>Hello, {{.}}.</p>
<form method="post" action="/portal-link"><button>Open the customer portal</button></form>
{{else}}<form method="post" action="/login"><label>Name <input name="name"></label> <button>Log in</button></form>
{{end}}</html>
`))

// start is the backend's own page.
func (b *backend) start(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, b.logins.user(r)) // the visitor may have gone
}
