package web

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// codesCard is the part of a page with the access codes of an access grant, a staff member or a space.
type codesCard struct {
	PIN     string // of all doors without one of their own; "" if the portal does not show it or no PIN was chosen
	Rows    []codeRow
	Empty   string // the reason for which there are no rows
	Stopped bool   // there are more codes
	Reissue string // path of the page that replaces the code; "" if the portal does not allow that
}

// codeRow is the access code of a lock in words.
type codeRow struct {
	Name  string // of the lock, or of the person on the page of a space
	Path  string // of the page of the lock or the person; "" if it has none
	Place string // the spaces and the site of the lock
	PIN   string // if the code has another one than the card, or the card has none
	State string
	Class string // of the chip
	Lines []string
	From  time.Time // the time in which the code is valid, in the zone of the lock; zero if it has no start
	Until time.Time
}

// codesOf returns the access codes of an access grant or a staff member. It returns nil if the portal does not show codes.
func (x *exchange) codesOf(subject data.Ref, ended bool, zone *time.Location) (*codesCard, error) {
	if !x.can(portal.ActionReadCodes) {
		return nil, nil
	}
	codes, err := x.view.AccessCodes(x.ctx(), subject)
	if err != nil {
		return nil, err
	}
	staff := subject.Kind == data.KindStaffMember
	if staff && len(codes.Items) == 0 && !codes.Issued {
		return nil, nil
	}
	out := &codesCard{PIN: codes.PIN.Reveal(), Stopped: codes.Stopped}
	for _, c := range codes.Items {
		row := x.codeRow(c, codes.Related, zone)
		if c.PIN == codes.PIN || c.Replacing {
			row.PIN = ""
		}
		out.Rows = append(out.Rows, row)
	}
	switch {
	case len(out.Rows) > 0:
		if x.can(portal.ActionReissuePIN) && !ended {
			out.Reissue = x.link(reissuePage(staff), "key", subject.Key)
		}
	case ended:
		out.Empty = x.text("codes.none.ended")
	case !codes.Issued:
		out.Empty = x.text("codes.none.rule")
	case codes.Awaited:
		out.Empty = x.text("codes.none.soon")
	default:
		out.Empty = x.text("codes.none.lock")
	}
	return out, nil
}

// reissuePage returns the path of the page that replaces a code.
func reissuePage(staff bool) string {
	if staff {
		return pageStaffCode
	}
	return pageGrantCode
}

// codeRow returns a code with its state in words. fallback is the time zone of a lock in no visible space.
func (x *exchange) codeRow(c portal.AccessCode, related portal.Related, fallback *time.Location) codeRow {
	row := codeRow{Name: c.Lock.Name, PIN: c.PIN.Reveal()}
	if c.Lock.ID != uuid.Nil {
		row.Path = x.link(pageDevice, "id", c.Lock.ID.String())
	}
	zone := fallback
	var places []string
	for _, m := range c.Lock.Mappings {
		s, shown := related.Space(m.SpaceKey)
		if !shown {
			continue
		}
		first := len(places) == 0
		places = append(places, s.Name)
		if site, inSite := related.Space(s.ParentSiteKey); first {
			zone = x.zone(related.Place(s.Ref()))
			if inSite && s.ParentSiteKey != "" {
				places = append(places, site.Name)
			}
		}
	}
	row.Place = strings.Join(places, " · ")
	if !c.StartsAt.IsZero() {
		row.From = c.StartsAt.In(zone)
	}
	if !c.EndsAt.IsZero() {
		row.Until = c.EndsAt.In(zone)
	}
	x.describeCode(&row, c, zone)
	return row
}

// describeCode sets the state of a code, the reason of a failure, and the next step with its time.
func (x *exchange) describeCode(row *codeRow, c portal.AccessCode, zone *time.Location) {
	now := x.h.db.Now()
	say := func(line string) { row.Lines = append(row.Lines, line) }
	when := func(t time.Time) string { return x.localizer.dateTime(t.In(zone)) }
	retry := func() {
		if c.RetryAt.After(now) {
			say(x.text("codes.next.retry", "when", when(c.RetryAt)))
		} else {
			say(x.text("codes.next.now"))
		}
	}
	row.State, row.Class = x.codeState(c.Code)
	switch {
	case c.Status == access.CodeUnknown:
		say(x.text(failAccount))
		return
	case len(c.Errors) > 0:
		for _, e := range c.Errors {
			say(x.codeFailure(e.Type, c.Lock))
		}
		retry()
	case c.Scheduled:
		say(x.text("codes.next.valid", "when", when(c.StartsAt)))
	case c.Replacing:
		say(x.text("codes.replacing"))
	case c.Status == access.CodeSet && !c.EndsAt.IsZero():
		say(x.text("codes.next.end", "when", when(c.EndsAt)))
	case c.Status == access.CodeUnset && c.WriteAt.After(now):
		say(x.text("codes.next.write", "when", when(c.WriteAt)))
	case c.Status == access.CodeUnset, c.Status == access.CodeSetting, c.Status == access.CodeRemoving:
		retry()
	}
	for _, w := range c.Warnings {
		switch w.Type {
		case access.WarningOtherPIN:
			say(x.text("codes.warn.own"))
		case access.WarningNotReadable:
			say(x.text("codes.warn.hidden"))
		case access.WarningModified:
			say(x.text("codes.warn.modified"))
		}
	}
}

// codeState returns the state of a code in one or two words, and the class of its chip.
func (x *exchange) codeState(c access.Code) (text, class string) {
	failed := len(c.Errors) > 0
	stuck := failed && (c.Errors[0].Type == access.CodeFailedToRemove || c.Errors[0].Type == access.CodeFailedToExpire)
	switch {
	case c.Status == access.CodeUnknown:
		return x.text("codes.unknown"), "bad"
	case stuck:
		return x.text("codes.stuck"), "bad"
	case failed && c.Status != access.CodeSet:
		return x.text("codes.failed"), "bad"
	case c.Scheduled:
		return x.text("codes.scheduled"), string(stateUpcoming)
	case c.Replacing:
		return x.text("codes.setting"), string(stateUpcoming)
	case c.Status == access.CodeSet:
		return x.text("codes.set"), string(stateCurrent)
	case c.Status == access.CodeSetting:
		return x.text("codes.setting"), string(stateUpcoming)
	case c.Status == access.CodeRemoving:
		return x.text("codes.removing"), string(stateEnded)
	}
	return x.text("codes.unset"), string(stateEnded)
}

// codeFailure returns the reason for which a code is not on its lock, or is still there.
func (x *exchange) codeFailure(t access.CodeErrorType, lock access.Device) string {
	offline := lock.State.Online.Is(false) || lock.AccountStatus == access.AccountUnreachable
	switch t {
	case access.CodeFailedToRemove, access.CodeFailedToExpire:
		if offline {
			return x.text("codes.why.offline") + " " + x.text("codes.why.remove")
		}
		return x.text("codes.why.remove")
	case access.CodeConstraint:
		return x.text("codes.why.refused")
	case access.CodeUnreadable:
		return x.text("codes.why.unreadable")
	case access.CodeNoSpace:
		return x.text("codes.why.full")
	case access.CodeDuplicate:
		return x.text("codes.why.duplicate")
	}
	if offline {
		return x.text("codes.why.offline")
	}
	return x.text("codes.why.set")
}

// spaceCodesLimit is the number of codes that the page of a space lists.
const spaceCodesLimit = 20

// codesOfSpace returns the access codes on the locks of a space, with the people who have them. It returns nil if the portal does not
// show codes, or if no lock of the space has any.
func (x *exchange) codesOfSpace(s data.Space, zone *time.Location) (*codesCard, error) {
	if !x.can(portal.ActionReadCodes) {
		return nil, nil
	}
	page, err := x.view.SpaceCodes(x.ctx(), s.Key, spaceCodesLimit)
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	out := &codesCard{Stopped: page.Stopped || page.Total > len(page.Items)}
	locks := map[uuid.UUID]bool{}
	for _, c := range page.Items {
		locks[c.Lock.ID] = true
	}
	for _, c := range page.Items {
		row := x.codeRow(c, page.Related, zone)
		if row.Place = ""; len(locks) > 1 {
			row.Place = c.Lock.Name
		}
		if g, isGrant := page.Related.AccessGrant(c.Subject.Key); isGrant && c.Subject.Kind.Class() == data.ClassAccessGrant {
			grant := x.newGrantRow(g, page.Related)
			row.Name, row.Path = grant.Name, x.resourcePath(g.Ref())
			if grant.Guest != "" {
				row.Name = grant.Guest
			}
		} else if u, isUser := page.Related.UserIdentity(c.Subject.Key); isUser {
			row.Name, row.Path = u.Name, x.resourcePath(u.Ref())
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}
