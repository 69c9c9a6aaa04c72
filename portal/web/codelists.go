package web

import (
	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
)

// codeBadge is the state of the codes of an access grant in a list.
type codeBadge struct {
	PIN   string // that all doors have; "" if the portal does not show it or no PIN was chosen
	State string // of the door that needs attention most
	Class string
}

// addCodes adds the states of the codes to rows. It does nothing if the portal does not show codes.
func (x *exchange) addCodes(lists ...[]*grantRow) error {
	var keys []string
	for _, rows := range lists {
		for _, row := range rows {
			keys = append(keys, row.Ref.Key)
		}
	}
	if len(keys) == 0 || !x.can(portal.ActionReadCodes) {
		return nil
	}
	codes, err := x.view.CodesOfGrants(x.ctx(), keys)
	if err != nil {
		return err
	}
	for _, rows := range lists {
		for _, row := range rows {
			if of := codes[row.Ref.Key]; len(of) > 0 {
				row.Codes = x.codeBadge(of)
			}
		}
	}
	return nil
}

// codeBadge returns the state of codes, which must not be empty. A code that fails comes before one that is not on its lock yet, and
// that comes before one that is.
func (x *exchange) codeBadge(codes []portal.AccessCode) *codeBadge {
	urgency := func(c access.Code) int {
		_, class := x.codeState(c)
		switch class {
		case "bad":
			return 2
		case string(stateCurrent):
			return 0
		}
		return 1
	}
	out, worst := &codeBadge{}, -1
	var pin device.Secret
	for _, c := range codes {
		if u := urgency(c.Code); u > worst {
			worst = u
			out.State, out.Class = x.codeState(c.Code)
		}
		if pin.IsZero() && !c.Replacing && len(c.Warnings) == 0 {
			pin = c.PIN
		}
	}
	out.PIN = pin.Reveal()
	return out
}

// pointers returns pointers to the elements of rows.
func pointers(rows []grantRow) []*grantRow {
	out := make([]*grantRow, len(rows))
	for i := range rows {
		out[i] = &rows[i]
	}
	return out
}
