package web

import (
	"context"
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// spacePick is the part of a form where spaces are chosen. A customer may have more of
// them than a page holds: those are found by their names.
type spacePick struct {
	Options []spaceOption
	Find    string       // what was looked for
	More    bool         // there are more than are shown
	Place   portal.Place // what the places of all that are shown have in common
	Chosen  portal.Place // of an access grant to those that are chosen
}

type spaceOption struct {
	Key, Name, Site string
	Kind            data.Kind
	Chosen          bool
}

const pickLimit = 60

// pick lists the spaces to choose from, those that are chosen first.
func (v *visit) pick(ctx context.Context, chosen []string, find string) (spacePick, error) {
	out := spacePick{Find: find}
	var places []portal.Place
	if !v.can(portal.ActionReadSpaces) {
		return out, nil
	}
	add := func(page portal.Page[data.Space], isChosen bool) {
		for _, s := range page.Items {
			if s.Kind == data.KindSite && !isChosen || !isChosen && slices.Contains(chosen, s.Key) {
				continue
			}
			o := spaceOption{Key: s.Key, Name: s.Name, Kind: s.Kind, Chosen: isChosen}
			if site, shown := page.Related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
				o.Site = site.Name
			}
			out.Options = append(out.Options, o)
			places = append(places, page.Related.Place(s.Ref()))
		}
	}
	if len(chosen) > 0 {
		page, err := v.view.Spaces(ctx, data.Query{Keys: chosen, Limit: 1000})
		if err != nil {
			return out, err
		}
		out.Chosen = page.Related.GrantPlace(spaceRefs(chosen))
		add(page, true)
	}
	page, err := v.view.Spaces(ctx, data.Query{Kinds: chosenKinds, Text: find, Limit: pickLimit})
	if err != nil {
		return out, err
	}
	add(page, false)
	out.More, out.Place = page.Next != "", commonPlace(places)
	return out, nil
}

// chosenKinds are the spaces that are given access to one by one.
var chosenKinds = slices.DeleteFunc(data.Kinds(data.ClassSpace), func(k data.Kind) bool { return k == data.KindSite })

// withSites puts sites before some spaces to filter by: a site stands for what lies in it.
func (v *visit) withSites(spaces []spaceOption) ([]spaceOption, error) {
	if !v.can(portal.ActionReadSpaces) {
		return spaces, nil
	}
	page, err := v.view.Spaces(v.ctx(), data.Query{Kinds: []data.Kind{data.KindSite}, Limit: pickLimit})
	if err != nil {
		return nil, err
	}
	var out []spaceOption
	for _, s := range page.Items {
		if !slices.ContainsFunc(spaces, func(o spaceOption) bool { return o.Key == s.Key }) {
			out = append(out, spaceOption{Key: s.Key, Name: s.Name, Kind: s.Kind})
		}
	}
	return append(out, spaces...), nil
}

// spaceRefs returns references to spaces by their keys. The kind of a reference only gives
// its class.
func spaceRefs(keys []string) []data.Ref {
	return append([]data.Ref{}, data.Refs(data.KindSpace, keys...)...)
}
