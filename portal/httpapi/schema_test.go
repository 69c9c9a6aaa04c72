package httpapi_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal/httpapi"
)

// document is an OpenAPI 3.0 document.
type document map[string]any

func decodeDocument(b []byte) document {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		panic(err)
	}
	return d
}

// handlerDocument returns the OpenAPI document of the handler.
var handlerDocument = sync.OnceValue(func() document { return decodeDocument(httpapi.OpenAPI()) })

// wireDocument returns the OpenAPI document of the API that the official SDKs know.
func wireDocument(t testing.TB) document {
	t.Helper()
	b, err := os.ReadFile("testdata/wire.json")
	require.NoError(t, err)
	return decodeDocument(b)
}

// at returns the value at a path of names, or nil if there is none.
func (d document) at(names ...string) any {
	var v any = map[string]any(d)
	for _, name := range names {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func (d document) paths() map[string]any { return d.at("paths").(map[string]any) }

// response returns the schema of a response, or nil if the document has none.
func (d document) response(path, method, status string) map[string]any {
	s, _ := d.at("paths", path, strings.ToLower(method), "responses", status, "content", "application/json", "schema").(map[string]any)
	return s
}

// body returns the schema of the body of a request, or nil if it has none.
func (d document) body(path, method string) map[string]any {
	s, _ := d.at("paths", path, strings.ToLower(method), "requestBody", "content", "application/json", "schema").(map[string]any)
	return s
}

// resolve returns the schema that a $ref refers to, or the schema itself.
func (d document) resolve(s map[string]any) map[string]any {
	for {
		ref, ok := s["$ref"].(string)
		if !ok {
			return s
		}
		next, ok := d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...).(map[string]any)
		if !ok {
			panic("the document has no " + ref)
		}
		s = next
	}
}

// check returns the places where a JSON value does not match a schema, each with its path.
func (d document) check(s map[string]any, v any, path string) (problems []string) {
	s = d.resolve(s)
	report := func(format string, args ...any) { problems = append(problems, path+": "+fmt.Sprintf(format, args...)) }
	if v == nil {
		if s["nullable"] != true {
			report("is null")
		}
		return problems
	}
	for _, part := range list(s["allOf"]) {
		problems = append(problems, d.check(part.(map[string]any), v, path)...)
	}
	if alternatives := list(s["oneOf"]); alternatives != nil {
		matches := 0
		for _, part := range alternatives {
			if len(d.check(part.(map[string]any), v, path)) == 0 {
				matches++
			}
		}
		if matches != 1 {
			report("matches %d schemas of oneOf", matches)
		}
	}
	if enum := list(s["enum"]); enum != nil && !slices.ContainsFunc(enum, func(e any) bool { return reflect.DeepEqual(e, v) }) {
		report("%v is not one of %v", v, enum)
	}
	kind, _ := s["type"].(string)
	switch v := v.(type) {
	case string:
		if kind != "string" && kind != "" {
			report("is a string, not a %s", kind)
		}
		if fault := checkString(s, v); fault != "" {
			report("%s", fault)
		}
	case bool:
		if kind != "boolean" && kind != "" {
			report("is a boolean, not a %s", kind)
		}
	case float64:
		if kind != "number" && kind != "integer" && kind != "" || kind == "integer" && v != math.Trunc(v) {
			report("is a number, not a %s", kind)
		}
		if least, ok := s["minimum"].(float64); ok && (v < least || v == least && s["exclusiveMinimum"] == true) {
			report("is below %v", least)
		}
		if most, ok := s["maximum"].(float64); ok && v > most {
			report("is above %v", most)
		}
	case []any:
		if kind != "array" && kind != "" {
			report("is an array, not a %s", kind)
		}
		if most, ok := s["maxItems"].(float64); ok && float64(len(v)) > most {
			report("has %d items", len(v))
		}
		if items, ok := s["items"].(map[string]any); ok {
			for i, item := range v {
				problems = append(problems, d.check(items, item, fmt.Sprintf("%s[%d]", path, i))...)
			}
		}
	case map[string]any:
		if kind != "object" && kind != "" {
			report("is an object, not a %s", kind)
		}
		problems = append(problems, d.checkObject(s, v, path)...)
	}
	return problems
}

func (d document) checkObject(s, v map[string]any, path string) (problems []string) {
	for _, name := range list(s["required"]) {
		if _, ok := v[name.(string)]; !ok {
			problems = append(problems, path+"."+name.(string)+": is missing")
		}
	}
	if most, ok := s["maxProperties"].(float64); ok && float64(len(v)) > most {
		problems = append(problems, path+": has too many members")
	}
	properties, _ := s["properties"].(map[string]any)
	for name, value := range v {
		at := path + "." + name
		if of, ok := properties[name].(map[string]any); ok {
			problems = append(problems, d.check(of, value, at)...)
			continue
		}
		switch more := s["additionalProperties"].(type) {
		case bool:
			if !more {
				problems = append(problems, at+": is not a member of the schema")
			}
		case map[string]any:
			problems = append(problems, d.check(more, value, at)...)
		}
	}
	return problems
}

func checkString(s map[string]any, v string) string {
	if least, ok := s["minLength"].(float64); ok && float64(utf8.RuneCountInString(v)) < least {
		return "is too short"
	}
	if most, ok := s["maxLength"].(float64); ok && float64(utf8.RuneCountInString(v)) > most {
		return "is too long"
	}
	if pattern, ok := s["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(v) {
		return fmt.Sprintf("%q does not match %s", v, pattern)
	}
	var err error
	switch s["format"] {
	case "uuid":
		_, err = uuid.Parse(v)
	case "date-time":
		_, err = time.Parse(time.RFC3339, v)
	case "uri":
		var u *url.URL
		if u, err = url.Parse(v); err == nil && u.Scheme == "" {
			return "is not a URI"
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// TestDocumentCheck_ValuesOfEachRule_AcceptsValidAndReportsInvalid checks the checker that every other test uses.
func TestDocumentCheck_ValuesOfEachRule_AcceptsValidAndReportsInvalid(t *testing.T) {
	t.Parallel()
	d := decodeDocument([]byte(`{"components": {"schemas": {"id": {"type": "string", "format": "uuid"}}}}`))
	for _, row := range []struct{ schema, valid, invalid string }{
		{`{"type": "string"}`, `"a"`, `1`},
		{`{"type": "string", "nullable": true}`, `null`, `true`},
		{`{"type": "string"}`, `""`, `null`},
		{`{"type": "string", "minLength": 1, "maxLength": 2}`, `"ab"`, `""`},
		{`{"type": "string", "maxLength": 2}`, `"ab"`, `"abc"`},
		{`{"type": "string", "pattern": "^a+$"}`, `"aa"`, `"ab"`},
		{`{"type": "string", "enum": ["x"]}`, `"x"`, `"y"`},
		{`{"$ref": "#/components/schemas/id"}`, `"67c58f1f-f148-4415-a63c-dc6c145c6b91"`, `"67"`},
		{`{"type": "string", "format": "date-time"}`, `"2025-06-16T16:54:17.946594Z"`, `"2025-06-16"`},
		{`{"type": "string", "format": "uri"}`, `"https://a.example/b"`, `"b"`},
		{`{"type": "integer", "minimum": 0, "exclusiveMinimum": true}`, `1`, `0`},
		{`{"type": "integer"}`, `2`, `2.5`},
		{`{"type": "number", "maximum": 3}`, `2.5`, `4`},
		{`{"type": "boolean"}`, `true`, `"true"`},
		{`{"type": "array", "items": {"type": "string"}, "maxItems": 1}`, `["a"]`, `[1]`},
		{`{"type": "array", "maxItems": 1}`, `["a"]`, `[1, 2]`},
		{`{"type": "object", "required": ["a"]}`, `{"a": 1}`, `{"b": 1}`},
		{`{"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false}`, `{"a": "b"}`, `{"b": "b"}`},
		{`{"type": "object", "additionalProperties": {"type": "string"}}`, `{"a": "b"}`, `{"b": 1}`},
		{`{"type": "object", "maxProperties": 1}`, `{"a": "b"}`, `{"b": 1, "c": 2}`},
		{`{"oneOf": [{"type": "string"}, {"type": "boolean"}]}`, `true`, `1`},
		{`{"allOf": [{"type": "string"}, {"enum": ["a", "b"]}]}`, `"a"`, `"c"`},
	} {
		var s map[string]any
		var valid, invalid any
		require.NoError(t, json.Unmarshal([]byte(row.schema), &s))
		require.NoError(t, json.Unmarshal([]byte(row.valid), &valid))
		require.NoError(t, json.Unmarshal([]byte(row.invalid), &invalid))
		require.Empty(t, d.check(s, valid, "$"), "%s %s", row.schema, row.valid)
		require.NotEmpty(t, d.check(s, invalid, "$"), "%s %s", row.schema, row.invalid)
	}
}
