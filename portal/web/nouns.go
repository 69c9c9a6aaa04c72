package web

import (
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// nouns are what a vertical calls things, as names in the catalog.
type nouns struct{ grant, guest, space string }

var nounsOf = map[portal.Vertical]nouns{
	portal.VerticalNeutral:         {"booking", "user_identity", "space"},
	portal.VerticalShortTermRental: {"reservation", "guest", "property_listing"},
	portal.VerticalHospitality:     {"booking", "guest", "room"},
	portal.VerticalMultiFamily:     {"lease", "tenant", "unit"},
	portal.VerticalGymManagement:   {"membership", "member", "facility"},
	portal.VerticalPropertyTours:   {"booking", "visitor", "tour_space"},
}

func (v *visit) nouns() nouns {
	if n, known := nounsOf[v.look.Vertical]; known {
		return n
	}
	return nounsOf[portal.VerticalNeutral]
}

func (n nouns) grants(v *visit) string { return v.T("nouns." + n.grant) }

func (n nouns) guests(v *visit) string { return v.T("nouns." + n.guest) }

// spaces is the name of the section. Where a vertical has further kinds it is the general one.
func (n nouns) spaces(v *visit) string {
	if len(v.look.Aliases.AdditionalSpaces) > 0 {
		return v.T("nouns.space")
	}
	return v.T("nouns." + n.space)
}

// Grant, Grants, NewGrant, Guest, Guests and Spaces are the words of the vertical.
func (v *visit) Grant() string { return v.T("noun." + v.nouns().grant) }

func (v *visit) Grants() string { return v.nouns().grants(v) }

func (v *visit) NewGrant() string { return v.T("new." + v.nouns().grant) }

func (v *visit) Guest() string { return v.T("noun." + v.nouns().guest) }

func (v *visit) Guests() string { return v.nouns().guests(v) }

func (v *visit) Spaces() string { return v.nouns().spaces(v) }

// KindName is what a kind is called, one of them.
func (v *visit) KindName(kind data.Kind) string { return v.T("noun." + v.kindNoun(kind)) }

// KindsName is what a kind is called, several of them.
func (v *visit) KindsName(kind data.Kind) string { return v.T("nouns." + v.kindNoun(kind)) }

func (v *visit) kindNoun(kind data.Kind) string {
	n := v.nouns()
	switch {
	case kind.Class() == data.ClassAccessGrant:
		return n.grant
	case kind == data.KindSpace && n.space == "tour_space":
		return n.space
	case kind == data.KindUser && (n.guest == "member" || n.guest == "visitor"):
		return n.guest
	}
	return kind.String()
}
