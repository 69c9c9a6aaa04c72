package data_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
)

// hostView returns the fields as the host pushed them last.
func (r *oracleResource) hostView() map[string]any {
	switch {
	case r.host != nil:
		return r.host
	case r.origin.Type == data.ActorPortal:
		return map[string]any{}
	}
	return r.fields
}

// changedInPortal returns the fields to record as the host's where a portal changes r to fields.
func (r *oracleResource) changedInPortal(fields map[string]any) map[string]any {
	view := r.hostView()
	if r.origin.Type == data.ActorPortal || reflect.DeepEqual(view, fields) {
		return nil
	}
	return view
}

// refs calls yield for the references that fields name: path, alias and key.
func refs(fields map[string]any, yield func(path, alias, key string)) {
	for name, v := range fields {
		switch v := v.(type) {
		case string:
			if alias, ok := strings.CutSuffix(name, "_key"); ok && v != "" {
				if alias == "parent_site" {
					alias = "site"
				}
				yield("."+name, alias, v)
			}
		case []string:
			for i, key := range v {
				yield(fmt.Sprintf(".%s[%d]", name, i), strings.TrimSuffix(name, "_keys"), key)
			}
		}
	}
}

func isEmpty(v any) bool {
	if v == nil || v == "" {
		return true
	}
	list, isList := v.([]string)
	return isList && len(list) == 0
}

// merged returns the fields of a resource after a patch.
func merged(old *oracleResource, g modelResource, replace bool) map[string]any {
	out := map[string]any{}
	if old != nil && !replace {
		maps.Copy(out, old.fields)
	}
	for name := range g.fields {
		if strings.HasSuffix(name, "_keys") { // one list, whatever the alias
			maps.DeleteFunc(out, func(name string, _ any) bool { return strings.HasSuffix(name, "_keys") })
		}
	}
	for name, v := range g.fields {
		if name == "custom_metadata" {
			if v == nil {
				delete(out, name)
				continue
			}
			all := map[string]any{}
			if had, ok := out[name].(map[string]any); ok {
				maps.Copy(all, had)
			}
			for key, value := range v.(map[string]any) {
				if isEmpty(value) {
					delete(all, key)
				} else {
					all[key] = value
				}
			}
			delete(out, name)
			if len(all) > 0 {
				out[name] = all
			}
			continue
		}
		if isEmpty(v) {
			delete(out, name)
			continue
		}
		if slices.Contains(oracleUsers, name) {
			for _, other := range oracleUsers {
				delete(out, other)
			}
		}
		out[name] = v
	}
	listed := map[string]bool{} // by the first of the aliases, in the order of the kinds
	for _, kind := range oracleKinds["space"] {
		list, _ := out[kind+"_keys"].([]string)
		var once []string
		for _, key := range list {
			if !listed[key] {
				once = append(once, key)
			}
			listed[key] = true
		}
		if delete(out, kind+"_keys"); len(once) > 0 {
			out[kind+"_keys"] = once
		}
	}
	return out
}

// twice returns the paths of keys that a resource refers to for the second time.
func twice(fields map[string]any) (paths []string) {
	listed := map[string]bool{}
	for _, kind := range oracleKinds["space"] {
		list, _ := fields[kind+"_keys"].([]string)
		for i, key := range list {
			if listed[key] {
				paths = append(paths, fmt.Sprintf(".%s_keys[%d]", kind, i))
			}
			listed[key] = true
		}
	}
	return paths
}

// namesSpace reports whether a resource names any space.
func namesSpace(fields map[string]any) bool {
	for name := range fields {
		if strings.HasSuffix(name, "_keys") {
			return true
		}
	}
	return false
}

// oracleUnit returns the part of a resource that a field is, as changes in portals are compared:
// all aliases of the user together, all aliases of the spaces, and else the field.
func oracleUnit(name string) string {
	switch {
	case slices.Contains(oracleUsers, name):
		return "user"
	case strings.HasSuffix(name, "_keys"):
		return "spaces"
	}
	return name
}

// unitOf returns the fields of a unit.
func unitOf(fields map[string]any, unit string) map[string]any {
	out := map[string]any{}
	for name, v := range fields {
		if oracleUnit(name) == unit {
			out[name] = v
		}
	}
	return out
}

// split makes a field of each key of custom_metadata.
func split(fields map[string]any) map[string]any {
	out := maps.Clone(fields)
	if m, ok := out["custom_metadata"].(map[string]any); ok {
		delete(out, "custom_metadata")
		for key, v := range m {
			out["custom_metadata."+key] = v
		}
	}
	return out
}

// unsplit undoes split.
func unsplit(fields map[string]any) map[string]any {
	out, m := map[string]any{}, map[string]any{}
	for name, v := range fields {
		if key, ok := strings.CutPrefix(name, "custom_metadata."); ok {
			m[key] = v
		} else {
			out[name] = v
		}
	}
	if len(m) > 0 {
		out["custom_metadata"] = m
	}
	return out
}

// reconciled predicts a push of the host to a resource with changes from a portal. It returns the resulting fields, the host's
// fields, and the lines of the report about the changes.
func reconciled(old *oracleResource, g modelResource, replace, keep bool) (fields, host map[string]any, lines []string) {
	host = merged(&oracleResource{fields: old.hostView()}, g, replace)
	now, before, after := split(old.fields), split(old.hostView()), split(host)
	names := func(unit string) []string {
		a, b := unitOf(now, unit), unitOf(after, unit)
		var out []string
		for name := range a {
			if !reflect.DeepEqual(a[name], b[name]) {
				out = append(out, name)
			}
		}
		for name := range b {
			if a[name] == nil {
				out = append(out, name)
			}
		}
		return out
	}
	named := func(unit string) bool {
		for name, v := range g.fields {
			switch {
			case name == "custom_metadata" && strings.HasPrefix(unit, "custom_metadata."):
				given, all := v.(map[string]any)
				_, ok := given[strings.TrimPrefix(unit, "custom_metadata.")]
				if ok || !all {
					return true
				}
			case unit == "user" && slices.Contains(oracleUsers, name) && isEmpty(v):
				if now[name] != nil || before[name] != nil {
					return true
				}
			case oracleUnit(name) == unit:
				return true
			}
		}
		return false
	}
	compare := func(replace, keep bool) map[string]any {
		out, units := maps.Clone(after), map[string]bool{}
		lines = nil
		for name := range now {
			units[oracleUnit(name)] = true
		}
		for name := range before {
			units[oracleUnit(name)] = true
		}
		for unit := range units {
			portals, hosts, pushed := unitOf(now, unit), unitOf(before, unit), unitOf(after, unit)
			named := replace || named(unit)
			word := ""
			switch {
			case reflect.DeepEqual(portals, hosts):
			case !named || keep && reflect.DeepEqual(pushed, hosts):
				maps.DeleteFunc(out, func(name string, _ any) bool { return oracleUnit(name) == unit })
				maps.Copy(out, portals)
				if named {
					word = " kept "
				}
			case !reflect.DeepEqual(portals, pushed):
				word = " overwritten "
			}
			if word != "" {
				for _, name := range names(unit) {
					lines = append(lines, g.kind+" "+g.key+word+name)
				}
			}
		}
		return unsplit(out)
	}
	fields = compare(replace, keep)
	starts, ends := fields["starts_at"], fields["ends_at"]
	if starts != nil && ends != nil && ends.(string) <= starts.(string) || classOf(g.kind) != "access_grant" && fields["name"] == nil {
		compare(true, false) // only what it reports counts
		fields = host
	}
	return fields, host, lines
}
