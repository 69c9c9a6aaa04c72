package web

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textorder"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

// The form with the spaces of a staff member has buttons that add or remove all spaces, those of a site, or those of a floor, and one
// that chooses the spaces of another staff member. Each of them shows the form again, and nothing is saved until the visitor has seen
// the result.

const (
	addGroupField  = "add_group"  // the button that adds a group of spaces
	dropGroupField = "drop_group" // the button that removes a group of spaces
	copyField      = "copy"       // the button that chooses the spaces of the staff member in copyFromField
	copyFromField  = "copy_from"

	maxStaffSpaces = 1000 // spaces of a staff member, as in package data
	maxGrouped     = 2000 // spaces that are read to find the groups
	maxColleagues  = 200  // staff members that the form offers to copy from
)

// spaceGroup is a number of spaces that the visitor can choose together.
type spaceGroup struct {
	Value       string // groupAll, or the prefix of a site or a floor and its name
	Site, Floor string
	N, Chosen   int
}

// The values of groups. The key of a site can be any text, so it comes last.
const (
	groupAll    = "all"
	sitePrefix  = "site "
	floorPrefix = "floor " // a floor, a space, and the key of the site, which may be empty
)

// staffGroups is the part of the form of a staff member that chooses many spaces.
type staffGroups struct {
	Groups     []spaceGroup
	Colleagues []data.UserIdentity
	From       string // the key of the chosen colleague
}

// roomNumber matches the first number of a name. Its digits, except the last two, are the floor.
var roomNumber = regexp.MustCompile(`(?:^|\D)(\d{1,3})\d\d(?:\D|$)`)

// floorOf returns the floor of a room or a unit, as hotels number them: room 101 is on floor 1 and room 1204 on floor 12. It returns
// "" if the name does not tell the floor.
func floorOf(s data.Space) string {
	if !slices.Contains([]data.Kind{data.KindSpace, data.KindRoom, data.KindUnit}, s.Kind) {
		return ""
	}
	found := roomNumber.FindStringSubmatch(s.Name)
	if found == nil {
		return ""
	}
	return found[1]
}

// groupedSpaces are the spaces of a site, or all spaces, without sites.
type groupedSpaces struct {
	spaces   []data.Space
	sites    map[string]string // names of their sites, by key
	complete bool              // there are no further ones
}

// readGrouped returns the spaces of a site, or all spaces if site is empty.
func (x *exchange) readGrouped(site string) (groupedSpaces, error) {
	out := groupedSpaces{sites: map[string]string{}}
	q := data.Query{Kinds: pickableKinds, ParentSiteKey: site, ByName: true, Limit: maxStaffSpaces}
	for {
		page, err := x.view.Spaces(x.ctx(), q)
		if err != nil {
			return out, err
		}
		for _, s := range page.Items {
			if at, shown := page.Related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
				out.sites[s.ParentSiteKey] = at.Name
			}
		}
		out.spaces, q.Cursor = append(out.spaces, page.Items...), page.Next
		if out.complete = page.Next == ""; out.complete || page.Stopped || len(out.spaces) >= maxGrouped {
			return out, nil
		}
	}
}

// applyGroups changes the chosen spaces of a form as the posted button says. If it cannot, it adds a fault to the form.
func (x *exchange) applyGroups(f *form) error {
	posted := x.r.PostForm
	chosen := splitKeys(f.Values[spacesField])
	switch {
	case posted.Has(addGroupField):
		keys, err := x.groupKeys(posted.Get(addGroupField))
		if err != nil {
			return err
		}
		chosen = append(chosen, keys...)
	case posted.Has(dropGroupField):
		keys, err := x.groupKeys(posted.Get(dropGroupField))
		if err != nil {
			return err
		}
		chosen = slices.DeleteFunc(chosen, func(key string) bool { return slices.Contains(keys, key) })
	case posted.Has(copyField):
		u, related, err := x.view.StaffMember(x.ctx(), posted.Get(copyFromField))
		if errors.Is(err, data.ErrResourceNotFound) || errors.Is(err, validation.ErrInvalid) {
			f.Faults[copyFromField] = x.text("rule." + string(validation.RuleRequired))
			return nil
		}
		if err != nil {
			return err
		}
		chosen = nil
		for _, ref := range u.Spaces {
			if _, shown := related.Space(ref.Key); shown {
				chosen = append(chosen, ref.Key)
			}
		}
	}
	value := joinKeys(chosen)
	if len(splitKeys(value)) > maxStaffSpaces {
		f.Faults[spacesField] = x.text("rule." + string(validation.RuleTooMany))
		return nil
	}
	f.Values[spacesField] = value
	return nil
}

// groupKeys returns the keys of the spaces of a group. It returns none if there is no such group.
func (x *exchange) groupKeys(value string) (keys []string, err error) {
	site, floor := "", ""
	switch rest, isFloor := strings.CutPrefix(value, floorPrefix); {
	case isFloor:
		floor, site, _ = strings.Cut(rest, " ")
	case strings.HasPrefix(value, sitePrefix):
		if site = strings.TrimPrefix(value, sitePrefix); site == "" {
			return nil, nil
		}
	case value != groupAll:
		return nil, nil
	}
	found, err := x.readGrouped(site)
	for _, s := range found.spaces {
		if floor == "" || floorOf(s) == floor && s.ParentSiteKey == site {
			keys = append(keys, s.Key)
		}
	}
	return keys, err
}

// staffGroups returns the groups of spaces, and the other staff members with spaces, which the form can copy.
// key is that of the staff member in the form, or "".
func (x *exchange) staffGroups(f *form, key string) (out staffGroups, err error) {
	if !x.can(portal.ActionReadSpaces) {
		return out, nil
	}
	found, err := x.readGrouped("")
	if err != nil {
		return out, err
	}
	if found.complete { // otherwise the groups would lack spaces
		out.Groups = found.groups(splitKeys(f.Values[spacesField]))
	}
	if !x.can(portal.ActionReadStaff) {
		return out, nil
	}
	staff, err := x.view.StaffMembers(x.ctx(), data.Query{ByName: true, Limit: maxColleagues})
	if err != nil {
		return out, err
	}
	for _, u := range staff.Items {
		if u.Key != key && len(u.Spaces) > 0 {
			out.Colleagues = append(out.Colleagues, u)
		}
	}
	out.From = x.r.PostForm.Get(copyFromField)
	return out, nil
}

// groups returns the groups of the spaces: all of them, then each site with its floors. It omits groups of one space.
func (found groupedSpaces) groups(chosen []string) []spaceGroup {
	isChosen := map[string]bool{}
	for _, key := range chosen {
		isChosen[key] = true
	}
	groups := map[string]*spaceGroup{}
	count := func(s data.Space, value, site, floor string) {
		g := groups[value]
		if g == nil {
			g = &spaceGroup{Value: value, Site: site, Floor: floor}
			groups[value] = g
		}
		g.N++
		if isChosen[s.Key] {
			g.Chosen++
		}
	}
	for _, s := range found.spaces {
		count(s, groupAll, "", "")
		site, shown := found.sites[s.ParentSiteKey]
		if shown {
			count(s, sitePrefix+s.ParentSiteKey, site, "")
		}
		if floor := floorOf(s); floor != "" && (shown || s.ParentSiteKey == "") {
			count(s, floorPrefix+floor+" "+s.ParentSiteKey, site, floor)
		}
	}
	var out []spaceGroup
	for _, g := range groups {
		if g.N > 1 {
			out = append(out, *g)
		}
	}
	order := func(g spaceGroup) string {
		return string(textorder.SortKey(g.Site)) + "\x00" + string(textorder.SortKey(g.Floor)) + "\x00" + g.Value
	}
	slices.SortFunc(out, func(a, b spaceGroup) int {
		if (a.Value == groupAll) != (b.Value == groupAll) {
			if a.Value == groupAll {
				return -1
			}
			return 1
		}
		return strings.Compare(order(a), order(b))
	})
	return out
}
