package proofs

import (
	"html"
	"net/url"
	"reflect"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textrules"
)

// refKinds are the kinds of the references that are tried.
var refKinds = []data.Kind{data.KindRoom, data.KindSite, data.KindGuest, data.KindStaffMember, data.KindReservation}

// walk visits every place below v that can contain an identifier. set puts one there and reports whether the place can
// hold it.
func walk(v reflect.Value, path string, visit func(path string, set func(id string) bool)) {
	text := func(put func(id string)) func(string) bool {
		return func(id string) bool { put(id); return true }
	}
	switch v.Type() {
	case reflect.TypeFor[uuid.UUID]():
		visit(path, func(id string) bool {
			parsed, err := uuid.Parse(id)
			if err != nil || len(id) != 36 {
				return false
			}
			v.Set(reflect.ValueOf(parsed))
			return true
		})
		return
	case reflect.TypeFor[data.Ref]():
		for _, kind := range refKinds {
			visit(path+" "+kind.String(), text(func(id string) { v.Set(reflect.ValueOf(data.Ref{Kind: kind, Key: id})) }))
		}
		return
	case reflect.TypeFor[[]data.Ref]():
		for _, kind := range refKinds {
			visit(path+" "+kind.String(), text(func(id string) { v.Set(reflect.ValueOf(data.Refs(kind, id))) }))
		}
		if v.Len() > 0 {
			visit(path+" one more", text(func(id string) {
				v.Set(reflect.AppendSlice(reflect.ValueOf(data.Refs(data.KindRoom, id)), v))
			}))
		}
		return
	case reflect.TypeFor[data.CustomMetadata]():
		visit(path+" name", text(func(id string) { v.Set(reflect.ValueOf(data.CustomMetadata{id: "x"})) }))
		visit(path+" value", text(func(id string) { v.Set(reflect.ValueOf(data.CustomMetadata{"note": id})) }))
		return
	}
	switch v.Kind() {
	case reflect.String:
		visit(path, text(v.SetString))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.String {
			visit(path, text(func(id string) { v.Set(reflect.ValueOf([]string{id}).Convert(v.Type())) }))
		}
	case reflect.Pointer:
		if v.Type().Elem().Kind() != reflect.Struct {
			return
		}
		to := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			to.Elem().Set(v.Elem())
		}
		walk(to.Elem(), path, func(path string, set func(string) bool) {
			visit(path, func(id string) bool { v.Set(to); return set(id) })
		})
	case reflect.Struct:
		for f, field := range v.Fields() {
			if f.IsExported() {
				walk(field, path+"."+f.Name, visit)
			}
		}
	}
}

// places visits every place in a list of arguments.
func places(args []any, visit func(path string, set func(id string) bool)) {
	for i := range args {
		v := reflect.New(reflect.TypeOf(args[i])).Elem()
		v.Set(reflect.ValueOf(args[i]))
		walk(v, "", func(path string, set func(string) bool) {
			visit(path, func(id string) bool {
				usable := set(id)
				args[i] = v.Interface()
				return usable
			})
		})
	}
}

func countPlaces(args []any) (count int) {
	places(args, func(string, func(string) bool) { count++ })
	return count
}

// putAt puts an identifier into a place of a list of arguments. It returns the path of the place.
func putAt(args []any, at int, id string) (path string, usable bool) {
	n := 0
	places(args, func(here string, set func(string) bool) {
		if n == at {
			path, usable = here, set(id)
		}
		n++
	})
	return path, usable
}

// encodings returns the forms in which an identifier can occur in a response, each followed by the text that replaces
// it.
func encodings(id string) (pairs []string) {
	for _, id := range []string{id, textrules.Clip(id)} {
		query := url.QueryEscape(id)
		for _, text := range []string{id, query, strings.ToLower(query), html.EscapeString(id)} {
			pairs = append(pairs, text, "<id>")
		}
	}
	return pairs
}

// mask replaces an identifier in a response.
func mask(answer, id string) string {
	return strings.NewReplacer(encodings(id)...).Replace(answer)
}
