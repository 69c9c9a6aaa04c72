package web

import (
	"net/http"

	"github.com/customerportal-go/customerportal/portal"
)

// endPage is the content of the page that asks before it ends a session.
type endPage struct {
	UsedUp bool // the link cannot open the portal again
}

// showEnd asks whether to close the portal in this browser.
func showEnd(x *exchange) error {
	return x.renderOK("end", "end.title", endPage{UsedUp: x.session.Portal().State == portal.StateUsedUp})
}

// end ends the session. It keeps the cookie, so that a page in another tab can explain that the portal was closed.
func end(x *exchange) error {
	if err := x.session.End(x.ctx()); err != nil {
		return err
	}
	p := x.session.Portal()
	x.session, x.shutPortal = nil, p
	x.showProblem(http.StatusOK, problem{Key: endedKey(p), ReturnURL: p.Config.ReturnURL})
	return nil
}

// endedKey returns the key of the problem page for a session that its visitor ended.
func endedKey(p portal.CustomerPortal) string {
	if p.State == portal.StateUsedUp {
		return "ended_used"
	}
	return "ended"
}
