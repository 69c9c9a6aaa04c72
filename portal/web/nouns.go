package web

import (
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// nouns are the words of a vertical for its resources, as parts of catalog keys such as "noun.guest".
type nouns struct{ grant, guest, space string }

var nounsByVertical = map[portal.Vertical]nouns{
	portal.VerticalNeutral:         {"booking", "user_identity", "space"},
	portal.VerticalShortTermRental: {"reservation", "guest", "property_listing"},
	portal.VerticalHospitality:     {"booking", "guest", "room"},
	portal.VerticalMultiFamily:     {"lease", "tenant", "unit"},
	portal.VerticalGymManagement:   {"membership", "member", "facility"},
	portal.VerticalPropertyTours:   {"booking", "visitor", "tour_space"},
}

func (x *exchange) nouns() nouns {
	if n, known := nounsByVertical[x.appearance.Vertical]; known {
		return n
	}
	return nounsByVertical[portal.VerticalNeutral]
}

// kindName returns the singular noun for a kind.
func (x *exchange) kindName(kind data.Kind) string { return x.text("noun." + x.kindNoun(kind)) }

// kindsName returns the plural noun for a kind.
func (x *exchange) kindsName(kind data.Kind) string { return x.text("nouns." + x.kindNoun(kind)) }

func (x *exchange) kindNoun(kind data.Kind) string {
	n := x.nouns()
	switch {
	case kind.Class() == data.ClassAccessGrant:
		return n.grant
	case kind == data.KindSpace && n.space == "tour_space":
		return n.space
	case kind == data.KindUser && (n.guest == "member" || n.guest == "visitor"), kind == data.KindUserIdentity:
		return n.guest
	}
	return kind.String()
}
