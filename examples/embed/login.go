package main

import (
	"crypto/rand"
	"html/template"
	"net/http"
	"sync"
)

// logins is the login of the host program. To keep the example short, it does not check a password.
type logins struct {
	mu    sync.Mutex
	users map[string]string // user names, by the token in the cookie
}

const loginCookie = "backend_login"

func newLogins() *logins { return &logins{users: map[string]string{}} }

// user returns the name of the user who sent a request, or "" if the user is not logged in.
func (l *logins) user(r *http.Request) string {
	cookie, err := r.Cookie(loginCookie)
	if err != nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.users[cookie.Value]
}

// begin logs a user in and returns the cookie to set.
func (l *logins) begin(user string) *http.Cookie {
	token := rand.Text()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users[token] = user
	return &http.Cookie{Name: loginCookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// login handles the login form.
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

// start serves the start page of the host program.
func (b *backend) start(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, b.logins.user(r)) // fails only if the client has disconnected
}
