package web

import (
	"cmp"
	"context"
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// spacePicker is the part of a form in which the visitor chooses spaces. If a customer has more spaces than a page
// shows, the visitor can search for the others by name.
type spacePicker struct {
	Options     []spaceOption
	Find        string       // the search text
	More        bool         // there are more spaces than the page shows
	CommonPlace portal.Place // the common place of all spaces on the page
	ChosenPlace portal.Place // the place of an access grant to the chosen spaces
	Unsure      bool         // there are so many access grants that some of the spaces may be taken although they are shown as free

	next string // the cursor of the further spaces
}

type spaceOption struct {
	Key, Name, Site string
	Kind            data.Kind
	siteKey         string // "" if the portal does not show the site
	Chosen          bool
	Taken           bool // somebody else has the space in the chosen time
}

const pickerLimit = 60

// spacePicker returns the spaces to choose from, without sites. The chosen ones come first.
func (x *exchange) spacePicker(ctx context.Context, chosen []string, find string) (spacePicker, error) {
	return x.spacePickerOf(ctx, pickableKinds, chosen, find)
}

// spacePickerOf returns the spaces of some kinds to choose from. The chosen ones come first.
func (x *exchange) spacePickerOf(ctx context.Context, kinds []data.Kind, chosen []string, find string) (spacePicker, error) {
	out := spacePicker{Find: find}
	var places []portal.Place
	if !x.can(portal.ActionReadSpaces) {
		return out, nil
	}
	add := func(page portal.Page[data.Space], isChosen bool) {
		for _, s := range page.Items {
			if !slices.Contains(kinds, s.Kind) && !isChosen || !isChosen && slices.Contains(chosen, s.Key) {
				continue
			}
			o := newSpaceOption(s, page.Related)
			o.Chosen = isChosen
			out.Options = append(out.Options, o)
			places = append(places, page.Related.Place(s.Ref()))
		}
	}
	if len(chosen) > 0 {
		page, err := x.view.Spaces(ctx, data.Query{Keys: chosen, ByName: true, Limit: 1000})
		if err != nil {
			return out, err
		}
		out.ChosenPlace = page.Related.Place(spaceRefs(chosen)...)
		add(page, true)
	}
	page, err := x.view.Spaces(ctx, data.Query{Kinds: kinds, Text: find, ByName: true, Limit: pickerLimit})
	if err != nil {
		return out, err
	}
	slices.SortStableFunc(page.Items, func(a, b data.Space) int { return cmp.Compare(pickRank(a), pickRank(b)) })
	add(page, false)
	out.More, out.next, out.CommonPlace = page.Next != "", page.Next, commonPlace(places)
	return out, nil
}

// pickRank puts the spaces that several people share, such as common areas, after the others.
func pickRank(s data.Space) int {
	if isIdleKind(s) {
		return 0
	}
	return 1
}

// newSpaceOption returns a space to choose. related has its site.
func newSpaceOption(s data.Space, related portal.Related) spaceOption {
	o := spaceOption{Key: s.Key, Name: s.Name, Kind: s.Kind}
	if site, shown := related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
		o.Site, o.siteKey = site.Name, site.Key
	}
	return o
}

// pickableKinds are the kinds of spaces that can be chosen: all except sites.
var pickableKinds = slices.DeleteFunc(data.Kinds(data.ClassSpace), func(k data.Kind) bool { return k == data.KindSite })

// spaceRefs returns references to spaces by their keys. Only the class of their kind matters.
func spaceRefs(keys []string) []data.Ref {
	return append([]data.Ref{}, data.Refs(data.KindSpace, keys...)...)
}
