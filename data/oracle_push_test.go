package data_test

import (
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/google/uuid"
)

// push predicts a push or sync. apply updates the oracle, and is nil if the operation fails.
func (o *oracle) push(op modelOp) (want expected, apply func(ids map[string]string)) {
	sync, replace := op.Action == "sync", op.Replace || op.Action == "sync"
	stored := o.customers[op.Customer]
	pushedRefs, pushedKeys := map[string]bool{}, map[string]bool{} // of the pushed resources
	for _, g := range op.Resources {
		pushedRefs[g.kind+" "+g.key], pushedKeys[refKey(g.kind, g.key)] = true, true
	}
	// deleted contains the resources that a sync deletes, and detached the fields of the others without references to these.
	// Both are by refKey.
	deleted, detached := map[string]bool{}, map[string]map[string]any{}
	if sync {
		for at, r := range stored {
			deleted[at] = !pushedRefs[r.kind+" "+r.key] && (op.All || r.origin == op.by())
		}
		for changed := true; changed; {
			changed = false
			for at, r := range stored {
				if deleted[at] || pushedRefs[r.kind+" "+r.key] {
					continue
				}
				fields, isDeleted := withoutDeleted(r, stored, func(at string) bool { return deleted[at] && !pushedKeys[at] })
				if isDeleted {
					deleted[at], changed = true, true
				} else {
					detached[at] = fields
				}
			}
		}
	}
	isCancelled := make([]bool, len(op.Resources))
	hostFields := make([]map[string]any, len(op.Resources))
	portalLines := make([][]string, len(op.Resources))
	paths := op.paths()
	faults := make([][]string, len(op.Resources))
	results := make([]map[string]any, len(op.Resources))
	seen := map[string]bool{}
	// The library validates spaces, then user identities, then access grants.
	for _, class := range []string{"space", "user_identity", "access_grant"} {
		for i, g := range op.Resources {
			if classOf(g.kind) != class {
				continue
			}
			fault := func(part, rule string) { faults[i] = append(faults[i], paths[i]+part+" "+rule) }
			at := refKey(g.kind, g.key)
			var old *oracleResource
			for customer, has := range o.customers {
				r := has[at]
				switch {
				case r == nil:
				case customer == op.Customer && r.kind == g.kind:
					old = r
				case customer == op.Customer && deleted[at]: // the sync deletes the resource
				default:
					fault("."+g.kind+"_key", "key_conflict")
				}
			}
			if seen[at] {
				fault("."+g.kind+"_key", "duplicate_key")
			}
			seen[at] = true
			switch {
			case o.cancelled[op.Customer][at] != nil && op.KeepPortalChanges && !op.byPortal():
				isCancelled[i] = true
				continue
			case old != nil && !op.byPortal() && (old.host != nil || op.byHost() && old.origin != op.by()):
				results[i], hostFields[i], portalLines[i] = reconciled(old, g, replace, op.KeepPortalChanges)
				if op.byHost() && old.origin != op.by() {
					portalLines[i] = append(portalLines[i], g.kind+" "+g.key+" taken over")
				}
			default:
				results[i] = merged(old, g, replace)
				if hostFields[i] = results[i]; op.byPortal() && old != nil {
					hostFields[i] = old.changedInPortal(results[i])
				}
			}
			if reflect.DeepEqual(hostFields[i], results[i]) {
				hostFields[i] = nil
			}
			if class != "access_grant" && results[i]["name"] == nil {
				fault(".name", "required")
			}
			starts, ends := results[i]["starts_at"], results[i]["ends_at"]
			if starts != nil && ends != nil && ends.(string) <= starts.(string) {
				fault(".ends_at", "time_order")
			}
		}
	}
	resultKinds := map[string]string{} // by refKey, the kinds after the push
	for at, r := range stored {
		if !deleted[at] {
			resultKinds[at] = r.kind
		}
	}
	for i, g := range op.Resources {
		if !isCancelled[i] && (!op.SkipInvalid || len(faults[i]) == 0) {
			resultKinds[refKey(g.kind, g.key)] = g.kind
		}
	}
	warnings := make([][]string, len(op.Resources))
	for i, g := range op.Resources {
		if isCancelled[i] {
			continue
		}
		refs(g.fields, func(path, alias, key string) {
			kind, ok := resultKinds[refKey(alias, key)]
			rule := " not_there_yet"
			for customer, has := range o.customers {
				if !ok && customer != op.Customer && has[refKey(alias, key)] != nil {
					rule = " other_customer"
				}
			}
			if !ok || path == ".parent_site_key" && kind != "site" {
				warnings[i] = append(warnings[i], paths[i]+path+rule)
			}
		})
		for _, path := range twice(g.fields) {
			warnings[i] = append(warnings[i], paths[i]+path+" reference_twice")
		}
		if classOf(g.kind) == "access_grant" && !namesSpace(results[i]) {
			warnings[i] = append(warnings[i], paths[i]+" no_spaces")
		}
	}
	for i, g := range op.Resources { // a pushed address that another user identity has too
		address, _ := g.fields["email_address"].(string)
		if has, _ := results[i]["email_address"].(string); address == "" || !strings.EqualFold(has, address) {
			continue // no address was pushed, or the portal's address is kept
		}
		shared := false
		byPush := map[string]bool{}
		for j, other := range op.Resources {
			if classOf(other.kind) != "user_identity" || isCancelled[j] || op.SkipInvalid && len(faults[j]) > 0 {
				continue
			}
			byPush[other.kind+" "+other.key] = true
			has, _ := results[j]["email_address"].(string)
			pushed, _ := other.fields["email_address"].(string)
			shared = shared || j != i && strings.EqualFold(has, address) && (j < i || !strings.EqualFold(pushed, has))
		}
		for at, r := range stored {
			has, _ := r.fields["email_address"].(string)
			shared = shared || !deleted[at] && !byPush[r.kind+" "+r.key] && !(r.kind == g.kind && r.key == g.key) && strings.EqualFold(has, address)
		}
		if shared {
			warnings[i] = append(warnings[i], paths[i]+".email_address shared_email")
		}
	}
	type write struct {
		i              int
		created, quiet bool
	}
	var writes []write
	for i, g := range op.Resources {
		if op.SkipInvalid && len(faults[i]) > 0 {
			want.skipped = append(want.skipped, faults[i]...)
			continue
		}
		want.faults = append(want.faults, faults[i]...)
		if isCancelled[i] {
			want.changes = append(want.changes, "cancelled "+g.kind+" "+g.key)
			want.portal = append(want.portal, g.kind+" "+g.key+" cancelled")
			continue
		}
		want.warnings = append(want.warnings, warnings[i]...)
		want.portal = append(want.portal, portalLines[i]...)
		old := stored[refKey(g.kind, g.key)]
		if old != nil && old.kind != g.kind {
			old = nil
		}
		line := g.kind + " " + g.key
		switch {
		case old == nil:
			want.changes = append(want.changes, "created "+line)
			if o.cancelled[op.Customer][refKey(g.kind, g.key)] != nil {
				want.portal = append(want.portal, line+" cancelled")
			}
			writes = append(writes, write{i: i, created: true})
		case reflect.DeepEqual(old.fields, results[i]):
			want.changes = append(want.changes, "unchanged "+line)
			writes = append(writes, write{i: i, quiet: true})
		default:
			want.changes = append(want.changes, "updated "+line)
			writes = append(writes, write{i: i})
		}
	}
	customerFields := map[string]any{}
	if !sync {
		maps.Copy(customerFields, o.customerFields[op.Customer])
	}
	for name, v := range op.CustomerFields {
		if delete(customerFields, name); !isEmpty(v) {
			customerFields[name] = v
		}
	}
	customerChanged := !maps.Equal(customerFields, o.customerFields[op.Customer])
	want.updated = stored != nil && customerChanged
	if op.Strict {
		want.faults, want.warnings = append(want.faults, want.warnings...), nil
	}
	if sync {
		for at, r := range stored {
			if deleted[at] {
				want.deleted = append(want.deleted, op.Customer+" "+r.kind+" "+r.key)
			} else if detached[at] != nil {
				want.detached = append(want.detached, detachedReferences(op.Customer, r, stored, func(at string) bool { return deleted[at] && !pushedKeys[at] })...)
			}
		}
		if len(want.faults) == 0 {
			if op.MaxDeletes != nil && len(want.deleted) > *op.MaxDeletes {
				want.faults = append(want.faults, "max_deletes max_deletes")
			}
			if len(stored) > 0 && len(want.deleted) == len(stored) {
				want.warnings = append(want.warnings, "customer_key deletes_all")
			}
		}
	}
	if len(want.faults) > 0 {
		return expected{faults: want.faults}, nil
	}
	return want, func(ids map[string]string) {
		var feedLines []string
		if customerChanged {
			change := "updated"
			if o.customers[op.Customer] == nil {
				change = "created"
			}
			line := fmt.Sprintf("%s customer %s %s", change, op.Customer, uuid.Nil)
			if change == "updated" {
				line += " " + changedNames(o.customerFields[op.Customer], customerFields)
			}
			feedLines = append(feedLines, line)
			o.customerFields[op.Customer] = customerFields
		}
		if o.customers[op.Customer] == nil {
			o.customers[op.Customer] = map[string]*oracleResource{}
		}
		stored := o.customers[op.Customer]
		before := maps.Clone(stored)
		for at, r := range stored {
			switch fields := detached[at]; {
			case deleted[at]:
				feedLines = append(feedLines, "deleted "+r.kind+" "+r.key+" "+r.id)
				delete(stored, at)
			case fields != nil && !reflect.DeepEqual(fields, r.fields):
				feedLines = append(feedLines, "updated "+r.kind+" "+r.key+" "+r.id+" "+changedNames(r.fields, fields))
				r.removeReferences(fields, before, func(at string) bool { return deleted[at] && !pushedKeys[at] }, op.byPortal())
				r.changed = o.now
			}
		}
		for at, c := range o.cancelled[op.Customer] {
			if sync && !pushedKeys[at] && (op.All || c.origin == op.by()) {
				delete(o.cancelled[op.Customer], at)
			}
		}
		for _, w := range writes {
			g := op.Resources[w.i]
			at := refKey(g.kind, g.key)
			line := "created " + g.kind + " " + g.key + " "
			if w.created {
				stored[at] = &oracleResource{kind: g.kind, key: g.key, id: ids[g.kind+" "+g.key], origin: op.by()}
				delete(o.cancelled[op.Customer], at)
			}
			if op.byHost() {
				stored[at].origin = op.by()
			}
			if stored[at].host = hostFields[w.i]; w.quiet {
				continue
			}
			if line += stored[at].id; !w.created {
				line = "updated " + g.kind + " " + g.key + " " + stored[at].id + " " + changedNames(stored[at].fields, results[w.i])
			}
			stored[at].fields, stored[at].changed = results[w.i], o.now
			feedLines = append(feedLines, line)
		}
		o.addToFeed(op, op.Customer, feedLines)
	}
}
