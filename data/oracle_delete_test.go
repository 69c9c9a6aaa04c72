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
	gone := map[string]bool{} // "c place"
	owner := func(alias, key string) string {
		for customer, has := range o.customers {
			if has[place(alias, key)] != nil {
				return customer
			}
		}
		return ""
	}
	next := map[string]int{}
	for _, k := range op.Keys {
		path := fmt.Sprintf("%s_keys[%d]", k[0], next[k[0]])
		next[k[0]]++
		switch c := owner(k[0], k[1]); {
		case c == "":
			if line := k[0] + " " + k[1]; !slices.Contains(want.notFound, line) {
				want.notFound = append(want.notFound, line)
			}
		case op.Customer != "" && c != op.Customer:
			want.faults = append(want.faults, path+" key_conflict")
		default:
			gone[c+" "+place(k[0], k[1])] = true
		}
	}
	whole := map[string]bool{}
	for _, c := range op.Customers {
		switch {
		case o.customers[c] == nil && !slices.Contains(want.noSuch, c):
			want.noSuch = append(want.noSuch, c)
		case o.customers[c] != nil && !whole[c]:
			whole[c] = true
			want.customers = append(want.customers, c)
		}
	}
	if len(want.faults) > 0 {
		return expected{faults: want.faults}, nil
	}
	left := map[string]map[string]any{} // fields of what loses a reference
	for again := true; again; {
		again = false
		for c, has := range o.customers {
			for at, r := range has {
				if gone[c+" "+at] || whole[c] {
					continue
				}
				fields, goes := afterLosses(r, has, func(at string) bool { return gone[c+" "+at] })
				if goes {
					gone[c+" "+at], again = true, true
				} else {
					left[c+" "+at] = fields
				}
			}
		}
	}
	for c, has := range o.customers {
		for at, r := range has {
			line := c + " " + r.kind + " " + r.key
			if whole[c] || gone[c+" "+at] {
				want.deleted = append(want.deleted, line)
				continue
			}
			want.detached = append(want.detached, lost(c, r, has, func(at string) bool { return gone[c+" "+at] })...)
		}
	}
	return want, func() {
		for c, has := range o.customers {
			var told []string
			was := maps.Clone(has)
			for at, r := range has {
				switch fields := left[c+" "+at]; {
				case whole[c] || gone[c+" "+at]:
					told = append(told, "deleted "+r.kind+" "+r.key+" "+r.id)
					if delete(has, at); op.byPortal() {
						o.cancelled[c][at] = &oracleCancelled{*r, o.now}
					}
				case !reflect.DeepEqual(fields, r.fields):
					told = append(told, "updated "+r.kind+" "+r.key+" "+r.id+" "+changedNames(r.fields, fields))
					r.lose(fields, was, func(at string) bool { return gone[c+" "+at] }, op.byPortal())
					r.changed = o.now
				}
			}
			o.tell(op, c, told)
			for _, line := range want.notFound {
				alias, key, _ := strings.Cut(line, " ")
				if !op.byPortal() && (op.Customer == "" || op.Customer == c) {
					delete(o.cancelled[c], place(alias, key))
				}
			}
			if whole[c] {
				clear(o.cancelled[c])
				delete(o.customers, c)
				delete(o.own, c)
			}
		}
	}
}

// lost returns the references of a remaining resource to deleted ones.
func lost(customer string, r *oracleResource, has map[string]*oracleResource, gone func(at string) bool) []string {
	out := map[string]bool{}
	refs(r.fields, func(_, alias, key string) {
		if to := has[place(alias, key)]; to != nil && gone(place(alias, key)) {
			out[customer+" "+r.kind+" "+r.key+" -> "+to.kind+" "+to.key] = true
		}
	})
	return slices.Collect(maps.Keys(out))
}

// lose makes fields those of a resource, which has lost references to what is gone. The
// host's fields lose the same, unless it is a portal that deletes.
func (r *oracleResource) lose(fields map[string]any, has map[string]*oracleResource, gone func(at string) bool, portal bool) {
	if portal {
		r.host = r.changedInPortal(fields)
	} else if r.host != nil {
		dropped := map[string]bool{}
		refs(r.fields, func(_, alias, key string) {
			if at := place(alias, key); classOf(alias) == "space" && has[at] != nil && gone(at) {
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
	c, at := op.Customer, place(op.Keys[0][0], op.Keys[0][1])
	mine := o.customers[c]
	if mine == nil {
		return "no customer", nil
	}
	cancelled := o.cancelled[c][at]
	if cancelled == nil {
		return "not found", nil
	}
	for _, has := range o.customers {
		if has[at] != nil {
			return "not undone", nil
		}
	}
	missing := false
	refs(cancelled.fields, func(_, alias, key string) { missing = missing || mine[place(alias, key)] == nil })
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
			for _, r := range mine { // a site stands for the spaces in it
				if mine[place("space", key)].kind == "site" && text(r, "parent_site_key") == key {
					spaces[r.key] = true
				}
			}
		})
		for _, r := range mine {
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
		mine[at] = &restored
		delete(o.cancelled[c], at)
		o.tell(op, c, []string{"created " + restored.kind + " " + restored.key + " " + restored.id})
	}
}

// afterLosses returns the fields of a resource without its references to deleted ones, and reports whether the cascade deletes
// the resource too.
func afterLosses(r *oracleResource, has map[string]*oracleResource, gone func(at string) bool) (fields map[string]any, goes bool) {
	fields = maps.Clone(r.fields)
	named, left := 0, 0
	for name, v := range r.fields {
		switch v := v.(type) {
		case string:
			if name == "parent_site_key" && gone(place("site", v)) {
				if has[place("site", v)].kind == "site" {
					return nil, true
				}
				delete(fields, name)
			}
			if slices.Contains(oracleUsers, name) && gone(place("user", v)) {
				return nil, true
			}
		case []string:
			kept := slices.DeleteFunc(slices.Clone(v), func(key string) bool { return gone(place("space", key)) })
			named, left = named+len(v), left+len(kept)
			if delete(fields, name); len(kept) > 0 {
				fields[name] = kept
			}
		}
	}
	return fields, classOf(r.kind) == "access_grant" && named > 0 && left == 0
}
