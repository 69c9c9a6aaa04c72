package web

import (
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/portal"
)

// The page of a guest link has a layout of its own, with a small stylesheet and no script, because it is opened on phones with a bad
// connection.

// stayPage is the content of the page of a guest link.
type stayPage struct {
	portal.Stay
	Starts, Ends, Opens, Closes time.Time // in the zone of the stay; may be zero
	Zone                        string

	Before  bool         // the stay has not begun
	Code    string       // the code of the stay; "" if it has none, or not the same one at all doors
	HasCode bool         // a door has a code, and the portal may show it
	Map     template.URL // the place in the visitor's program for maps; "" if it is not known
	Point   string       // the latitude and the longitude
	Doors   []stayDoor
	Result  *stayResult
}

// stayDoor is a door of a stay.
type stayDoor struct {
	portal.Door
	Text string // the state of the code in words; "" before the stay
	Code string // if the doors have different codes
	Path string // of the form that unlocks the door; "" if it cannot be unlocked now

	Token string // of the form
}

// stayResult is the result of an unlocking in words.
type stayResult struct {
	Door  string // the name of the door; may be empty
	Text  string
	Class string // of the notice
}

// doorCodeTexts are the catalog keys of the states of codes.
var doorCodeTexts = map[portal.DoorCode]string{
	portal.DoorCodeNone: "stay.door.none", portal.DoorCodePending: "stay.door.pending", portal.DoorCodeReady: "stay.door.ready",
	portal.DoorCodeFailed: "stay.door.failed", portal.DoorCodeUnreachable: "stay.door.unreachable",
}

// unlockTexts are the catalog keys of the results of unlockings that failed. Others are stay.result.failed.
var unlockTexts = map[access.ErrorType]string{
	access.ErrorDeviceOffline: "stay.result.offline", access.ErrorNotConfirmed: "stay.result.unsure", access.ErrorTimedOut: "stay.result.unsure",
	access.ErrorRejected: "stay.result.refused", access.ErrorUnsupported: "stay.result.refused",
}

func showStay(x *exchange) error {
	page, err := x.readStay()
	if err != nil {
		return err
	}
	if page.Result, err = x.unlockResult(page); err != nil {
		return err
	}
	return x.renderOK("stay", "stay.title", page)
}

// readStay reads the stay of the guest link.
func (x *exchange) readStay() (stayPage, error) {
	stay, err := x.view.Stay(x.ctx())
	if err != nil {
		return stayPage{}, err
	}
	zone := x.zone(stay.Place)
	at := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return t.In(zone)
	}
	page := stayPage{
		Stay: stay, Starts: at(stay.StartsAt), Ends: at(stay.EndsAt), Opens: at(stay.OpensAt), Closes: at(stay.ClosesAt), Zone: zone.String(),
		Before: x.h.db.Now().Before(stay.OpensAt), Code: stay.PIN.Reveal(),
	}
	if g := stay.Address.Geolocation; g != nil {
		page.Point = fmt.Sprintf("%.5f, %.5f", g.Latitude, g.Longitude)
		page.Map = template.URL(fmt.Sprintf("geo:%.5f,%.5f", g.Latitude, g.Longitude)) //nolint:gosec // it contains two numbers
	}
	for _, d := range stay.Doors {
		door := stayDoor{Door: d}
		page.HasCode = page.HasCode || d.Code != portal.DoorCodeNone && x.can(portal.ActionReadStayPIN)
		if !page.Before {
			door.Text = x.text(doorCodeTexts[d.Code])
		}
		if page.Code == "" {
			door.Code = d.PIN.Reveal()
		}
		if d.CanUnlock {
			door.Path, door.Token = x.link(pageUnlock, "id", d.DeviceID.String()), rand.Text()
		}
		page.Doors = append(page.Doors, door)
	}
	return page, nil
}

// CodeText returns what to say instead of a code, or "" if there is nothing to say.
func (p stayPage) CodeText(d pageData) string {
	switch {
	case !p.HasCode:
		return ""
	case p.Before:
		return d.T("stay.code.later", "when", d.Moment(p.Opens))
	case p.Code != "":
		return ""
	}
	for _, door := range p.Doors {
		if door.Code != "" {
			return d.T("stay.code.each")
		}
	}
	return d.T("stay.code.soon")
}

// unlockResult returns the result of the action attempt in the query, or nil if the query names no attempt.
func (x *exchange) unlockResult(page stayPage) (*stayResult, error) {
	a, err := x.askedAttempt()
	if err != nil || a == nil {
		return nil, err
	}
	out := &stayResult{}
	for _, d := range page.Doors {
		if d.DeviceID == a.DeviceID {
			out.Door = d.Name
		}
	}
	unsure, confirmed, accepted := x.text("stay.result.unsure"), x.text("stay.result.confirmed"), x.text("stay.result.accepted")
	if out.Text, out.Class = x.attemptText(a, unsure, confirmed, accepted); out.Text == "" {
		out.Text = x.text("stay.result.failed")
		if key := unlockTexts[a.Error.Type]; key != "" {
			out.Text = x.text(key)
		}
	}
	return out, nil
}

// showUnlock sends a GET of the form's path, such as after a change of the language, to the page of the stay.
func showUnlock(x *exchange) error {
	if err := x.session.Can(portal.ActionReadStay); err != nil {
		return err
	}
	return x.redirectTo(pageStay)
}

func saveUnlock(x *exchange) error {
	id, err := uuid.Parse(x.r.URL.Query().Get("id"))
	if err != nil {
		return access.ErrDeviceNotFound
	}
	a, err := x.session.UnlockDoor(x.ctx(), id, x.r.PostForm.Get(tokenField))
	switch {
	case errors.Is(err, portal.ErrNotYet):
		return x.refuseUnlock(http.StatusConflict, x.text("stay.result.moved"))
	case errors.Is(err, access.ErrDeviceNotFound):
		return x.refuseUnlock(http.StatusNotFound, x.text("stay.result.moved"))
	case errors.Is(err, access.ErrTooManyAttempts):
		return x.refuseUnlock(http.StatusTooManyRequests, x.text(failBusy))
	case err != nil:
		return err
	}
	if _, err := x.session.WaitForAttempt(x.ctx(), a.ID, commandWait); err != nil {
		return err
	}
	return x.redirectTo(pageStay, attemptParam, a.ID.String())
}

// refuseUnlock shows the stay with the reason for which nothing was sent.
func (x *exchange) refuseUnlock(status int, text string) error {
	return x.inView(func() error {
		page, err := x.readStay()
		if err != nil {
			return err
		}
		page.Result = &stayResult{Text: text, Class: "fault"}
		x.render(status, "stay", "stay.title", page)
		return nil
	})
}
