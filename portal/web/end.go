package web

import (
	"net/http"

	"github.com/customerportal-go/customerportal/portal"
)

// endPage is the content of the page that asks before a session is ended.
type endPage struct {
	UsedUp bool // the link does not open again
}

// showEnd asks whether to close the portal in this browser.
func showEnd(v *visit) error {
	return v.show("end", "end.title", endPage{UsedUp: v.session.Portal().State == portal.StateUsedUp})
}

// end ends the session. The cookie stays until it expires: a page that is open in another
// tab is told by it that the portal was closed.
func end(v *visit) error {
	if err := v.session.End(v.ctx()); err != nil {
		return err
	}
	p := v.session.Portal()
	v.session = nil
	v.fail(http.StatusOK, problem{Key: endedKey(p), ReturnURL: p.Config.ReturnURL})
	return nil
}

// endedKey is the key of the problem page of a session that its visitor ended.
func endedKey(p portal.CustomerPortal) string {
	if p.State == portal.StateUsedUp {
		return "ended_used"
	}
	return "ended"
}
