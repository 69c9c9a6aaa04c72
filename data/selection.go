package data

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// Selection selects customers and resources to delete. Its JSON is the object of the API: customer_key, customer_keys, and a
// list for each kind, such as "room_keys" or "site_keys".
type Selection struct {
	CustomerKeys []string // customers to delete with all their resources
	Resources    []Ref    // by class and key: {KindRoom, "101"} also selects a unit "101"

	// CustomerKey restricts the selection to one customer: keys of other customers are then an error. Its JSON name is
	// "customer_key". Empty means no restriction.
	CustomerKey string

	notes   []validation.Finding // faults and warnings of the JSON that it was decoded from
	omitted reportlimit.Omitted
}

// UnmarshalJSON decodes the API's object. It returns the errors, and keeps the faults and warnings, that
// [CustomerData.UnmarshalJSON] describes. A list that is present in the JSON is not nil, even if it is empty.
func (sel *Selection) UnmarshalJSON(b []byte) error {
	var out Selection
	err := readJSON(bytes.NewReader(b), DecodeOptions{MaxBytes: int64(len(b))}, func(r *strictjson.Reader) error { return decodeSelection(r, &out) })
	if err != nil {
		return err
	}
	*sel = out
	return nil
}

var _ = strictjson.Register(decodeSelection)

// decodeSelection reads the API's object.
func decodeSelection(r *strictjson.Reader, sel *Selection) error {
	*sel = Selection{}
	d := newJSONReader(r)
	report := d.noteIn(&sel.notes)
	isObject, err := d.object(under("selection", report), func(name string) error {
		report := under(textrules.Clip(name), report)
		kind, isKind := byKeysField[name]
		if !isKind && name != "customer_key" && name != "customer_keys" {
			report("", validation.RuleUnknownField, "is not a list of keys%s", suggestion(name))
			return d.Skip()
		}
		if d.Peek() == 'n' {
			return d.Skip()
		}
		if name == "customer_key" {
			key, err := d.text(report)
			if sel.CustomerKey = key; key == "" { // an empty key must not remove the restriction
				report("", validation.RuleRequired, "must not be empty: it restricts the selection to one customer")
			}
			return err
		}
		if isKind && sel.Resources == nil {
			sel.Resources = []Ref{}
		} else if !isKind {
			sel.CustomerKeys = []string{}
		}
		return d.array(report, func(i int) error {
			if err := d.Entry(); err != nil {
				return err
			}
			key, err := d.text(under(fmt.Sprintf("[%d]", i), report))
			if isKind {
				sel.Resources = append(sel.Resources, Ref{kind, key})
			} else {
				sel.CustomerKeys = append(sel.CustomerKeys, key)
			}
			return err
		})
	})
	if !isObject {
		sel.Resources = []Ref{} // avoids a second fault for the missing lists
	}
	sel.omitted = d.omitted
	return err
}

// suggestion returns a hint with the list of keys that the caller probably meant, or "". It recognizes the names of
// collections and of key fields, and query parameters that mark lists with brackets.
func suggestion(name string) string {
	name = strings.TrimSuffix(name, "[]")
	kind, known := byCollection[name]
	if !known {
		kind, known = byName[strings.TrimSuffix(strings.TrimSuffix(name, "s"), "_key")]
	}
	switch {
	case known:
		return ": use " + kind.KeysField()
	case name == "customer" || name == "customers" || name == "customer_keys":
		return ": use customer_keys"
	}
	return ""
}

// MarshalJSON returns the API's object.
func (sel Selection) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := jsontext.NewEncoder(&b)
	tokens := []jsontext.Token{jsontext.BeginObject}
	if sel.CustomerKey != "" {
		tokens = append(tokens, jsontext.String("customer_key"), jsontext.String(sel.CustomerKey))
	}
	list := func(name string, keys []string) {
		if len(keys) > 0 {
			tokens = append(tokens, jsontext.String(name), jsontext.BeginArray)
			for _, key := range keys {
				tokens = append(tokens, jsontext.String(key))
			}
			tokens = append(tokens, jsontext.EndArray)
		}
	}
	list("customer_keys", sel.CustomerKeys)
	for _, row := range kinds {
		var keys []string
		for _, ref := range sel.Resources {
			if ref.Kind == row.kind {
				keys = append(keys, ref.Key)
			}
		}
		list(row.kind.KeysField(), keys)
	}
	err := writeTokens(e, append(tokens, jsontext.EndObject)...)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// check returns the faults and warnings of the selection that do not depend on the stored state.
func (sel Selection) check(ctx context.Context) (findings, error) {
	found := findings{omitted: sel.omitted}
	for _, note := range sel.notes {
		found.add(note)
	}
	if sel.CustomerKey != "" {
		reportKey(sel.CustomerKey, found.in("customer_key"))
	}
	for i, key := range sel.CustomerKeys {
		if i%contextCheckInterval == 0 && ctx.Err() != nil {
			break
		}
		report := found.in(fmt.Sprintf("customer_keys[%d]", i))
		reportKey(key, report)
		if sel.CustomerKey != "" && key != sel.CustomerKey {
			report("", validation.RuleKeyConflict, "%q is not the customer %q", textrules.Clip(key), textrules.Clip(sel.CustomerKey))
		}
	}
	i := 0
	for path, ref := range sel.paths() {
		if i++; i%contextCheckInterval == 0 && ctx.Err() != nil {
			break
		}
		if !ref.Kind.valid() {
			found.in(path)("", validation.RuleNotAField, "%v is not a kind", ref.Kind)
			continue
		}
		reportKey(ref.Key, found.in(path))
	}
	return found, ctx.Err()
}

// paths returns an iterator over the resources and their paths, such as "room_keys[3]".
func (sel Selection) paths() iter.Seq2[string, Ref] {
	return func(yield func(string, Ref) bool) {
		var next [256]int
		for _, ref := range sel.Resources {
			if !yield(fmt.Sprintf("%s[%d]", ref.Kind.KeysField(), next[ref.Kind]), ref) {
				return
			}
			next[ref.Kind]++
		}
	}
}

// unique returns the keys without repetitions, in their order.
func unique(keys []string) []string {
	seen := make(map[string]bool, len(keys))
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		again := seen[key]
		seen[key] = true
		return again
	})
}
