package web

import (
	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// setupStep is a step of the first setup of a customer.
type setupStep struct {
	Label, Path string
	Done        bool
}

// setupSteps returns the steps of the first setup that the portal allows, or none if the customer has spaces, an account and a lock
// that is mapped to a space. The staff and the automations are optional, so the list does not wait for them.
func (x *exchange) setupSteps(accounts []access.Account) (out []setupStep, err error) {
	counts, err := x.view.Counts()
	if err != nil {
		return nil, err
	}
	spaces := 0
	for _, kind := range pickableKinds {
		spaces += counts[kind]
	}
	complete := true
	add := func(allowed bool, label, path string, done, isOptional bool) {
		if allowed {
			out = append(out, setupStep{label, x.link(path), done})
			complete = complete && (done || isOptional)
		}
	}
	var locked map[string]bool
	if len(accounts) > 0 && x.can(portal.ActionReadDevices) {
		if locked, _, err = x.view.LockedSpaces(x.ctx()); err != nil {
			return nil, err
		}
	}
	add(x.can(portal.ActionCreateSpace), x.text("space.add"), pageNewSpace, spaces > 0, false)
	add(x.can(portal.ActionConnect), x.text("setup.connect"), pageAccounts, len(accounts) > 0, false)
	add(x.can(portal.ActionMapDevices) && x.can(portal.ActionReadDevices), x.text("nav.organize"), pageOrganize, len(locked) > 0, false)
	if complete {
		return nil, nil
	}
	add(x.can(portal.ActionAddStaff), x.text("staff.add"), pageNewStaff, counts[data.KindStaffMember] > 0, true)
	if x.can(portal.ActionSetRules) && x.hasAutomations() {
		rules, err := x.view.AutomationRules(x.ctx())
		if err != nil {
			return nil, err
		}
		add(true, x.text("nav.configure"), pageAutomations, rules.Own != (access.Rules{}), true)
	}
	return out, nil
}
