package web

import (
	"crypto/rand"
	"errors"
	"net/http"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// reissueContent is the content of the page that asks before the code of an access grant or a staff member is replaced.
type reissueContent struct {
	Back  string
	Token string
	Fault string
}

// reissue is the page that replaces the code of an access grant or a staff member.
type reissue struct {
	path, back string // of the page itself, and of the page of the resource
	kind       data.Kind
	name       func(x *exchange, key string) (string, error)
}

var (
	reissueGrant = reissue{path: pageGrantCode, back: pageGrant, kind: data.KindAccessGrant, name: func(x *exchange, key string) (string, error) {
		g, related, err := x.view.AccessGrant(x.ctx(), key)
		return x.newGrantRow(g, related).Name, err
	}}
	reissueStaff = reissue{path: pageStaffCode, back: pageStaffMember, kind: data.KindStaffMember, name: func(x *exchange, key string) (string, error) {
		u, _, err := x.view.StaffMember(x.ctx(), key)
		return u.Name, err
	}}
)

func (r reissue) show(x *exchange) error { return r.render(x, "") }

// render responds with the page. fault is the reason for which there is no new code, or "".
func (r reissue) render(x *exchange, fault string) error {
	if err := x.session.Can(portal.ActionReissuePIN); err != nil {
		return err
	}
	key := x.r.URL.Query().Get("key")
	name, err := r.name(x, key)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if fault != "" {
		status = http.StatusConflict
	}
	x.render(status, "reissue", "codes.reissue.title", reissueContent{Back: x.link(r.back, "key", key), Token: rand.Text(), Fault: fault}, "name", name)
	return nil
}

func (r reissue) save(x *exchange) error {
	key := x.r.URL.Query().Get("key")
	var name string
	if err := x.inView(func() (err error) {
		name, err = r.name(x, key)
		return err
	}); err != nil {
		return err
	}
	_, err := x.session.ReissuePIN(x.ctx(), data.Ref{Kind: r.kind, Key: key}, x.r.PostForm.Get(tokenField))
	switch {
	case errors.Is(err, access.ErrNoCodes):
		return x.inView(func() error { return r.render(x, x.text("codes.reissue.none")) })
	case err != nil:
		return err
	}
	return x.redirectWithNotice(newNotice("done.reissued", "name", name), r.back, "key", key)
}
