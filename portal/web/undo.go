package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/base64url"
	"github.com/customerportal-go/customerportal/portal"
)

// undo is a change that the visitor can undo. A cookie keeps the last one for ten minutes, with the values before and after the
// change, so that the store does not need them. The form that undoes it posts the same text. It is not signed: a visitor who
// changes it can only write what an edit could write as well.
type undo struct {
	Action string     `json:"a"` // undoEdit, undoCancel or undoRemove
	Key    string     `json:"k"`
	ID     uuid.UUID  `json:"i,omitzero"`
	At     time.Time  `json:"t"`
	Name   string     `json:"n"`
	Done   notice     `json:"d"` // the notice about the change
	Before undoValues `json:"b,omitzero"`
	After  undoValues `json:"c,omitzero"`
}

// undoValues are values of an access grant.
type undoValues struct {
	Starts time.Time `json:"s,omitzero"`
	Ends   time.Time `json:"e,omitzero"`
	Spaces []string  `json:"p,omitempty"`
}

// The values of undo.Action.
const (
	undoEdit   = "edit"
	undoCancel = "cancel"
	undoRemove = "remove"
)

const (
	undoField   = "undo"
	undoCookie  = "undo-" // the prefix of the name of the cookie; the short name of the portal follows
	undoTimeout = 10 * time.Minute

	// maxUndo is the greatest length of the cookie's value. Browsers accept cookies of 4 KB.
	maxUndo = 3000
)

// undoOfEdit returns the undo of an edit of the times and the spaces of an access grant.
func undoOfEdit(name string, before, after data.AccessGrant) undo {
	values := func(g data.AccessGrant) undoValues {
		out := undoValues{Starts: g.StartsAt, Ends: g.EndsAt}
		if !slices.Equal(before.Spaces, after.Spaces) {
			for _, ref := range g.Spaces {
				out.Spaces = append(out.Spaces, ref.Key)
			}
		}
		return out
	}
	return undo{Action: undoEdit, Key: after.Key, ID: after.Meta.ID, At: after.Meta.UpdatedAt, Name: name, Before: values(before), After: values(after)}
}

// grant returns the values as an access grant.
func (v undoValues) grant(u undo) data.AccessGrant {
	return data.AccessGrant{
		Kind: data.KindAccessGrant, Key: u.Key, StartsAt: v.Starts, EndsAt: v.Ends, Spaces: spaceRefs(v.Spaces), Meta: data.Meta{ID: u.ID, UpdatedAt: u.At},
	}
}

func (u undo) encode() string {
	encoded, err := json.Marshal(u)
	if err != nil {
		return "" // a year that JSON cannot contain
	}
	return base64url.Encode(encoded)
}

// decodeUndo reports false for a text that is not from this program.
func decodeUndo(text string) (u undo, ok bool) {
	decoded, ok := base64url.Decode(text)
	if !ok || json.Unmarshal(decoded, &u) != nil || u.Key == "" || !u.Done.isKnown() {
		return undo{}, false
	}
	return u, slices.Contains([]string{undoEdit, undoCancel, undoRemove}, u.Action)
}

// redirectWithUndo redirects to a page that shows a notice with a button that undoes the change.
func (x *exchange) redirectWithUndo(done notice, u undo, path string, pairs ...string) error {
	u.Name = newNotice("", "name", u.Name).Values[1]
	u.Done = done
	encoded := u.encode()
	if done.Undo = len(encoded) > 0 && len(encoded) <= maxUndo; done.Undo {
		x.setCookie(undoCookie+shortName(x.session.Portal()), encoded, u.At.Add(undoTimeout), x.config().IsEmbedded)
	} else {
		x.forgetUndo()
	}
	return x.redirectWithNotice(done, path, pairs...)
}

// forgetUndo removes the cookie.
func (x *exchange) forgetUndo() {
	if name := undoCookie + shortName(x.session.Portal()); x.cookie(name) != "" {
		x.setCookie(name, "", time.Time{}, x.config().IsEmbedded)
	}
}

// undoOffer is a change that a page offers to undo.
type undoOffer struct {
	Text  string // the notice about the change; "" if the page shows it already
	Name  string
	Token string
}

// undoOffer returns the change that the page offers to undo, or nil. A page with the notice about the change offers it. Later,
// until ten minutes have passed, the pages do on which a visitor would look for it: the start page, the page of the resource, and
// the list from which the resource has vanished.
func (x *exchange) undoOffer(page string) *undoOffer {
	if x.session == nil || x.r.Method != http.MethodGet {
		return nil
	}
	token := x.cookie(undoCookie + shortName(x.session.Portal()))
	u, ok := decodeUndo(token)
	action := map[string]portal.Action{undoEdit: portal.ActionEditAccessGrant, undoCancel: portal.ActionCancelAccessGrant, undoRemove: portal.ActionRemoveStaff}[u.Action]
	if !ok || !x.can(action) || !x.h.db.Now().Before(u.At.Add(undoTimeout)) {
		return nil
	}
	out := &undoOffer{Name: u.Name, Token: token}
	if x.offersUndo {
		return out
	}
	out.Text = u.Done.text(x)
	switch {
	case page == "today" && u.Action != undoRemove,
		page == "grant" && u.Action == undoEdit && x.r.URL.Query().Get("key") == u.Key,
		page == "grants" && u.Action == undoCancel,
		page == "staff" && u.Action == undoRemove:
		return out
	}
	return nil
}

// mayUndo returns an error in a portal in which nothing can be undone.
func (x *exchange) mayUndo() error {
	err := x.session.Can(portal.ActionEditAccessGrant)
	if x.can(portal.ActionRemoveStaff) {
		return nil
	}
	return err
}

// showUndo leads back to the start page: only a POST undoes something.
func showUndo(x *exchange) error {
	if err := x.mayUndo(); err != nil {
		return err
	}
	return x.redirectTo(pageStart)
}

func saveUndo(x *exchange) error {
	if err := x.mayUndo(); err != nil {
		return err
	}
	u, ok := decodeUndo(x.r.PostForm.Get(undoField))
	if !ok {
		x.showProblem(http.StatusBadRequest, problem{Key: "form"})
		return nil
	}
	var err error
	path := pageGrant
	switch u.Action {
	case undoCancel:
		_, err = x.session.UndoCancelAccessGrant(x.ctx(), u.Key)
	case undoRemove:
		path = pageStaffMember
		_, err = x.session.UndoRemoveStaffMember(x.ctx(), u.Key)
	default:
		_, err = x.session.UndoEditAccessGrant(x.ctx(), u.Before.grant(u), u.After.grant(u))
	}
	x.forgetUndo()
	switch {
	case err == nil:
		return x.redirectWithNotice(newNotice("done.undone", "name", u.Name), path, "key", u.Key)
	case errors.Is(err, data.ErrNotUndone) || errors.Is(err, data.ErrResourceNotFound):
		return x.inView(func() error { return x.explainNotUndone(u, err) })
	}
	return err
}

// notUndonePage is the content of the page that explains why a change cannot be undone.
type notUndonePage struct {
	Name   string
	Text   string
	Now    []changedValue // what has changed since, with the present values
	Back   string
	Label  string // of Back
	IsHere bool   // Back leads to the resource
}

// changedValue is a field of a resource with its present value.
type changedValue struct{ Label, Value string }

// explainNotUndone responds with the page that explains why a change cannot be undone. It must run in a View.
func (x *exchange) explainNotUndone(u undo, err error) error {
	out := notUndonePage{Name: u.Name, Text: x.text("undo.gone"), Back: x.link(pageGrants)}
	var now *grantRow
	switch {
	case u.Action == undoRemove:
		out.Back = x.link(pageStaff)
		if _, _, readErr := x.view.StaffMember(x.ctx(), u.Key); readErr == nil {
			out.IsHere, out.Back = true, x.link(pageStaffMember, "key", u.Key)
		}
	default:
		if g, related, readErr := x.view.AccessGrant(x.ctx(), u.Key); readErr == nil {
			row := x.newGrantRow(g, related)
			now, out.IsHere, out.Back = &row, true, x.link(pageGrant, "key", u.Key)
		}
	}
	var why *portal.NotUndoneError
	switch {
	case !x.h.db.Now().Before(u.At.Add(undoTimeout)):
		out.Text = x.text("undo.late")
	case errors.As(err, &why) && len(why.Fields) > 0 && now != nil:
		out.Text, out.Now = x.text("undo.changed"), x.presentValues(*now, why.Fields)
	case errors.As(err, &why) && why.Space != (data.Ref{}):
		names, readErr := x.spaceNames([]string{why.Space.Key})
		if readErr != nil {
			return readErr
		}
		out.Text = x.text("undo.taken", "space", isolatedPlain(joinOr(names, why.Space.Key)))
	case why != nil && why.Gone != (data.Ref{}):
		out.Text = x.text("undo.related")
	case u.Action != undoEdit && out.IsHere:
		out.Text = x.text("undo.again", "name", isolatedPlain(u.Name))
	case u.Action != undoEdit && errors.Is(err, data.ErrNotUndone):
		out.Text = x.text("undo.related")
	}
	x.render(http.StatusConflict, "notundone", "undo.title", out)
	return nil
}

// presentValues returns the present values of fields of an access grant.
func (x *exchange) presentValues(row grantRow, fields []string) (out []changedValue) {
	moment := func(t time.Time) string {
		if t.IsZero() {
			return x.text("none")
		}
		return x.localizer.dateTime(t)
	}
	for _, field := range fields {
		value := changedValue{Label: x.historyLabel(field)}
		switch field {
		case "starts_at":
			value.Value = moment(row.Starts)
		case "ends_at":
			value.Value = moment(row.Ends)
		case "spaces":
			value.Value = isolatedPlain(joinOr(row.Spaces, x.text("none")))
		}
		out = append(out, value)
	}
	return out
}
