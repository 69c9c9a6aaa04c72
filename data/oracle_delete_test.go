package data_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// delete predicts a delete. apply updates the oracle, and is nil if the operation fails.
func (o *oracle) delete(op modelOp) (want expected, apply func()) {
	deleted := map[string]bool{} // customer and refKey
	findOwner := func(alias, key string) string {
		for customer, resources := range o.customers {
			if resources[refKey(alias, key)] != nil {
				return customer
			}
		}
		return ""
	}
	next := map[string]int{}
	for _, k := range op.Keys {
		path := fmt.Sprintf("%s_keys[%d]", k[0], next[k[0]])
		next[k[0]]++
		switch c := findOwner(k[0], k[1]); {
		case c == "":
			if line := k[0] + " " + k[1]; !slices.Contains(want.notFound, line) {
				want.notFound = append(want.notFound, line)
			}
		case op.Customer != "" && c != op.Customer:
			want.faults = append(want.faults, path+" key_conflict")
		default:
			deleted[c+" "+refKey(k[0], k[1])] = true
		}
	}
	deletedCustomers := map[string]bool{}
	for _, c := range op.Customers {
		switch {
		case o.customers[c] == nil && !slices.Contains(want.customersNotFound, c):
			want.customersNotFound = append(want.customersNotFound, c)
		case o.customers[c] != nil && !deletedCustomers[c]:
			deletedCustomers[c] = true
			want.customers = append(want.customers, c)
		}
	}
	if len(want.faults) > 0 {
		return expected{faults: want.faults}, nil
	}
	remaining := map[string]map[string]any{} // by customer and refKey, the fields of the remaining resources
	for again := true; again; {
		again = false
		for c, resources := range o.customers {
			for at, r := range resources {
				if deleted[c+" "+at] || deletedCustomers[c] {
					continue
				}
				fields, isDeleted := withoutDeleted(r, resources, func(at string) bool { return deleted[c+" "+at] })
				if isDeleted {
					deleted[c+" "+at], again = true, true
				} else {
					remaining[c+" "+at] = fields
				}
			}
		}
	}
	for c, resources := range o.customers {
		for at, r := range resources {
			line := c + " " + r.kind + " " + r.key
			if deletedCustomers[c] || deleted[c+" "+at] {
				want.deleted = append(want.deleted, line)
				continue
			}
			want.detached = append(want.detached, detachedReferences(c, r, resources, func(at string) bool { return deleted[c+" "+at] })...)
		}
	}
	return want, func() {
		for c, resources := range o.customers {
			var feedLines []string
			before := maps.Clone(resources)
			for at, r := range resources {
				switch fields := remaining[c+" "+at]; {
				case deletedCustomers[c] || deleted[c+" "+at]:
					feedLines = append(feedLines, "deleted "+r.kind+" "+r.key+" "+r.id)
					if delete(resources, at); op.byPortal() {
						o.cancelled[c][at] = &oracleCancelled{*r, o.now}
					}
				case !reflect.DeepEqual(fields, r.fields):
					feedLines = append(feedLines, "updated "+r.kind+" "+r.key+" "+r.id+" "+changedNames(r.fields, fields))
					r.removeReferences(fields, before, func(at string) bool { return deleted[c+" "+at] }, op.byPortal())
					r.changed = o.now
				}
			}
			o.addToFeed(op, c, feedLines)
			for _, line := range want.notFound {
				alias, key, _ := strings.Cut(line, " ")
				if !op.byPortal() && (op.Customer == "" || op.Customer == c) {
					delete(o.cancelled[c], refKey(alias, key))
				}
			}
			if deletedCustomers[c] {
				clear(o.cancelled[c])
				delete(o.customers, c)
				delete(o.customerFields, c)
			}
		}
	}
}

// detachedReferences returns the references of a remaining resource to deleted ones.
func detachedReferences(customer string, r *oracleResource, resources map[string]*oracleResource, isDeleted func(at string) bool) []string {
	out := map[string]bool{}
	refs(r.fields, func(_, alias, key string) {
		if to := resources[refKey(alias, key)]; to != nil && isDeleted(refKey(alias, key)) {
			out[customer+" "+r.kind+" "+r.key+" -> "+to.kind+" "+to.key] = true
		}
	})
	return slices.Collect(maps.Keys(out))
}

// removeReferences replaces the fields of a resource with fields, which have no references to deleted resources. It removes the
// references from the host's fields too, except if a portal deletes.
func (r *oracleResource) removeReferences(fields map[string]any, resources map[string]*oracleResource, isDeleted func(at string) bool, portal bool) {
	if portal {
		r.host = r.changedInPortal(fields)
	} else if r.host != nil {
		dropped := map[string]bool{}
		refs(r.fields, func(_, alias, key string) {
			if at := refKey(alias, key); classOf(alias) == "space" && resources[at] != nil && isDeleted(at) {
				dropped[key] = true
			}
		})
		host := maps.Clone(r.host)
		for name, v := range host {
			switch v := v.(type) {
			case string:
				if name == "parent_site_key" && dropped[v] {
					delete(host, name)
				}
			case []string:
				kept := slices.DeleteFunc(slices.Clone(v), func(key string) bool { return dropped[key] })
				if host[name] = kept; len(kept) == 0 {
					delete(host, name)
				}
			}
		}
		if r.host = host; reflect.DeepEqual(host, fields) {
			r.host = nil
		}
	}
	r.fields = fields
}

// undo predicts the undo of a cancellation: the error is "", "no customer", "not found"
// or "not undone".
func (o *oracle) undo(op modelOp) (err string, apply func()) {
	c, at := op.Customer, refKey(op.Keys[0][0], op.Keys[0][1])
	stored := o.customers[c]
	if stored == nil {
		return "no customer", nil
	}
	cancelled := o.cancelled[c][at]
	if cancelled == nil {
		return "not found", nil
	}
	for _, resources := range o.customers {
		if resources[at] != nil {
			return "not undone", nil
		}
	}
	missing := false
	refs(cancelled.fields, func(_, alias, key string) { missing = missing || stored[refKey(alias, key)] == nil })
	if missing {
		return "not undone", nil
	}
	text := func(r *oracleResource, name string) string { s, _ := r.fields[name].(string); return s }
	if classOf(cancelled.kind) == "access_grant" {
		spaces := map[string]bool{}
		refs(cancelled.fields, func(_, alias, key string) {
			if classOf(alias) != "space" {
				return
			}
			spaces[key] = true
			for _, r := range stored { // a site includes its spaces
				if stored[refKey("space", key)].kind == "site" && text(r, "parent_site_key") == key {
					spaces[r.key] = true
				}
			}
		})
		for _, r := range stored {
			starts, ends := text(r, "starts_at"), text(r, "ends_at")
			from, until := text(&cancelled.oracleResource, "starts_at"), text(&cancelled.oracleResource, "ends_at")
			overlaps := (until == "" || starts < until) && (from == "" || ends == "" || ends > from)
			if classOf(r.kind) != "access_grant" || r.changed <= cancelled.at || !overlaps {
				continue
			}
			taken := false
			refs(r.fields, func(_, alias, key string) { taken = taken || classOf(alias) == "space" && spaces[key] })
			if taken {
				return "not undone", nil
			}
		}
	}
	return "", func() {
		restored := cancelled.oracleResource
		restored.changed = o.now
		stored[at] = &restored
		delete(o.cancelled[c], at)
		o.addToFeed(op, c, []string{"created " + restored.kind + " " + restored.key + " " + restored.id})
	}
}

// withoutDeleted returns the fields of a resource without its references to deleted ones, and reports whether the cascade deletes
// the resource too.
func withoutDeleted(r *oracleResource, resources map[string]*oracleResource, isDeleted func(at string) bool) (fields map[string]any, deleted bool) {
	fields = maps.Clone(r.fields)
	before, after := 0, 0
	for name, v := range r.fields {
		switch v := v.(type) {
		case string:
			if name == "parent_site_key" && isDeleted(refKey("site", v)) {
				if resources[refKey("site", v)].kind == "site" {
					return nil, true
				}
				delete(fields, name)
			}
			if slices.Contains(oracleUsers, name) && isDeleted(refKey("user", v)) {
				return nil, true
			}
		case []string:
			kept := slices.DeleteFunc(slices.Clone(v), func(key string) bool { return isDeleted(refKey("space", key)) })
			before, after = before+len(v), after+len(kept)
			if delete(fields, name); len(kept) > 0 {
				fields[name] = kept
			}
		}
	}
	return fields, classOf(r.kind) == "access_grant" && before > 0 && after == 0
}
