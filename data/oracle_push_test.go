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
	sync, replace := op.What == "sync", op.Replace || op.What == "sync"
	mine := o.customers[op.Customer]
	named, placed := map[string]bool{}, map[string]bool{} // kind and key of what is given, and by place
	for _, g := range op.Given {
		named[g.kind+" "+g.key], placed[place(g.kind, g.key)] = true, true
	}
	// goes are the resources that a sync deletes, by place; left those that stay and lose a
	// reference.
	goes, left := map[string]bool{}, map[string]map[string]any{}
	if sync {
		for at, r := range mine {
			goes[at] = !named[r.kind+" "+r.key] && (op.All || r.origin == op.by())
		}
		for again := true; again; {
			again = false
			for at, r := range mine {
				if goes[at] || named[r.kind+" "+r.key] {
					continue
				}
				fields, gone := afterLosses(r, mine, func(at string) bool { return goes[at] && !placed[at] })
				if gone {
					goes[at], again = true, true
				} else {
					left[at] = fields
				}
			}
		}
	}
	stays := make([]bool, len(op.Given)) // cancelled
	hosts := make([]map[string]any, len(op.Given))
	lines := make([][]string, len(op.Given))
	paths := op.paths()
	faults := make([][]string, len(op.Given))
	results := make([]map[string]any, len(op.Given))
	firsts := map[string]bool{}
	// The library looks at spaces, then user identities, then access grants.
	for _, class := range []string{"space", "user_identity", "access_grant"} {
		for i, g := range op.Given {
			if classOf(g.kind) != class {
				continue
			}
			fault := func(part, rule string) { faults[i] = append(faults[i], paths[i]+part+" "+rule) }
			at := place(g.kind, g.key)
			var old *oracleResource
			for customer, has := range o.customers {
				r := has[at]
				switch {
				case r == nil:
				case customer == op.Customer && r.kind == g.kind:
					old = r
				case customer == op.Customer && goes[at]: // it goes in the same step
				default:
					fault("."+g.kind+"_key", "key_conflict")
				}
			}
			if firsts[at] {
				fault("."+g.kind+"_key", "duplicate_key")
			}
			firsts[at] = true
			switch {
			case o.cancelled[op.Customer][at] != nil && op.Keep && !op.byPortal():
				stays[i] = true
				continue
			case old != nil && !op.byPortal() && (old.host != nil || op.byHost() && old.origin != op.by()):
				results[i], hosts[i], lines[i] = reconciled(old, g, replace, op.Keep)
				if op.byHost() && old.origin != op.by() {
					lines[i] = append(lines[i], g.kind+" "+g.key+" taken over")
				}
			default:
				results[i] = merged(old, g, replace)
				if hosts[i] = results[i]; op.byPortal() && old != nil {
					hosts[i] = old.changedInPortal(results[i])
				}
			}
			if reflect.DeepEqual(hosts[i], results[i]) {
				hosts[i] = nil
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
	there := map[string]string{} // what will be there, by place: its kind
	for at, r := range mine {
		if !goes[at] {
			there[at] = r.kind
		}
	}
	for i, g := range op.Given {
		if !stays[i] && (!op.Skip || len(faults[i]) == 0) {
			there[place(g.kind, g.key)] = g.kind
		}
	}
	warnings := make([][]string, len(op.Given))
	for i, g := range op.Given {
		if stays[i] {
			continue
		}
		refs(g.fields, func(path, alias, key string) {
			kind, ok := there[place(alias, key)]
			rule := " not_there_yet"
			for customer, has := range o.customers {
				if !ok && customer != op.Customer && has[place(alias, key)] != nil {
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
	for i, g := range op.Given { // an address that is given, and that another one has then
		address, _ := g.fields["email_address"].(string)
		if has, _ := results[i]["email_address"].(string); address == "" || !strings.EqualFold(has, address) {
			continue // none is given, or the portal's stays
		}
		shared := false
		byPush := map[string]bool{}
		for j, other := range op.Given {
			if classOf(other.kind) != "user_identity" || stays[j] || op.Skip && len(faults[j]) > 0 {
				continue
			}
			byPush[other.kind+" "+other.key] = true
			has, _ := results[j]["email_address"].(string)
			gives, _ := other.fields["email_address"].(string)
			shared = shared || j != i && strings.EqualFold(has, address) && (j < i || !strings.EqualFold(gives, has))
		}
		for at, r := range mine {
			has, _ := r.fields["email_address"].(string)
			shared = shared || !goes[at] && !byPush[r.kind+" "+r.key] && !(r.kind == g.kind && r.key == g.key) && strings.EqualFold(has, address)
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
	for i, g := range op.Given {
		if op.Skip && len(faults[i]) > 0 {
			want.skipped = append(want.skipped, faults[i]...)
			continue
		}
		want.faults = append(want.faults, faults[i]...)
		if stays[i] {
			want.changes = append(want.changes, "cancelled "+g.kind+" "+g.key)
			want.portal = append(want.portal, g.kind+" "+g.key+" cancelled")
			continue
		}
		want.warnings = append(want.warnings, warnings[i]...)
		want.portal = append(want.portal, lines[i]...)
		old := mine[place(g.kind, g.key)]
		if old != nil && old.kind != g.kind {
			old = nil
		}
		line := g.kind + " " + g.key
		switch {
		case old == nil:
			want.changes = append(want.changes, "created "+line)
			if o.cancelled[op.Customer][place(g.kind, g.key)] != nil {
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
	own := map[string]any{}
	if !sync {
		maps.Copy(own, o.own[op.Customer])
	}
	for name, v := range op.Own {
		if delete(own, name); !isEmpty(v) {
			own[name] = v
		}
	}
	renamed := !maps.Equal(own, o.own[op.Customer])
	want.updated = mine != nil && renamed
	if op.Strict {
		want.faults, want.warnings = append(want.faults, want.warnings...), nil
	}
	if sync {
		for at, r := range mine {
			if goes[at] {
				want.deleted = append(want.deleted, op.Customer+" "+r.kind+" "+r.key)
			} else if left[at] != nil {
				want.detached = append(want.detached, lost(op.Customer, r, mine, func(at string) bool { return goes[at] && !placed[at] })...)
			}
		}
		if len(want.faults) == 0 {
			if op.Most != nil && len(want.deleted) > *op.Most {
				want.faults = append(want.faults, "max_deletes max_deletes")
			}
			if len(mine) > 0 && len(want.deleted) == len(mine) {
				want.warnings = append(want.warnings, "customer_key deletes_all")
			}
		}
	}
	if len(want.faults) > 0 {
		return expected{faults: want.faults}, nil
	}
	return want, func(ids map[string]string) {
		var told []string
		if renamed {
			change := "updated"
			if o.customers[op.Customer] == nil {
				change = "created"
			}
			line := fmt.Sprintf("%s customer %s %s", change, op.Customer, uuid.Nil)
			if change == "updated" {
				line += " " + changedNames(o.own[op.Customer], own)
			}
			told = append(told, line)
			o.own[op.Customer] = own
		}
		if o.customers[op.Customer] == nil {
			o.customers[op.Customer] = map[string]*oracleResource{}
		}
		mine := o.customers[op.Customer]
		was := maps.Clone(mine)
		for at, r := range mine {
			switch fields := left[at]; {
			case goes[at]:
				told = append(told, "deleted "+r.kind+" "+r.key+" "+r.id)
				delete(mine, at)
			case fields != nil && !reflect.DeepEqual(fields, r.fields):
				told = append(told, "updated "+r.kind+" "+r.key+" "+r.id+" "+changedNames(r.fields, fields))
				r.lose(fields, was, func(at string) bool { return goes[at] && !placed[at] }, op.byPortal())
				r.changed = o.now
			}
		}
		for at, c := range o.cancelled[op.Customer] {
			if sync && !placed[at] && (op.All || c.origin == op.by()) {
				delete(o.cancelled[op.Customer], at)
			}
		}
		for _, w := range writes {
			g := op.Given[w.i]
			at := place(g.kind, g.key)
			line := "created " + g.kind + " " + g.key + " "
			if w.created {
				mine[at] = &oracleResource{kind: g.kind, key: g.key, id: ids[g.kind+" "+g.key], origin: op.by()}
				delete(o.cancelled[op.Customer], at)
			}
			if op.byHost() {
				mine[at].origin = op.by()
			}
			if mine[at].host = hosts[w.i]; w.quiet {
				continue
			}
			if line += mine[at].id; !w.created {
				line = "updated " + g.kind + " " + g.key + " " + mine[at].id + " " + changedNames(mine[at].fields, results[w.i])
			}
			mine[at].fields, mine[at].changed = results[w.i], o.now
			told = append(told, line)
		}
		o.tell(op, op.Customer, told)
	}
}
