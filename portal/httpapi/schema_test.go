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

// document is an OpenAPI 3.0 document, as far as the tests read it.
type document map[string]any

func decodeDocument(b []byte) document {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		panic(err)
	}
	return d
}

// ownDocument is what the handler says of itself.
var ownDocument = sync.OnceValue(func() document { return decodeDocument(httpapi.OpenAPI()) })

// wireDocument is the API that the official SDKs know.
func wireDocument(t testing.TB) document {
	t.Helper()
	b, err := os.ReadFile("testdata/wire.json")
	require.NoError(t, err)
	return decodeDocument(b)
}

// at follows names down the document; nil where there is nothing.
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

func (d document) answer(path, method, status string) map[string]any {
	s, _ := d.at("paths", path, strings.ToLower(method), "responses", status, "content", "application/json", "schema").(map[string]any)
	return s
}

func (d document) body(path, method string) map[string]any {
	s, _ := d.at("paths", path, strings.ToLower(method), "requestBody", "content", "application/json", "schema").(map[string]any)
	return s
}

// resolve follows a $ref.
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

// check lists what of a JSON value is not as a schema has it.
func (d document) check(s map[string]any, v any, path string) (wrong []string) {
	s = d.resolve(s)
	no := func(format string, args ...any) { wrong = append(wrong, path+": "+fmt.Sprintf(format, args...)) }
	if v == nil {
		if s["nullable"] != true {
			no("is null")
		}
		return wrong
	}
	for _, part := range list(s["allOf"]) {
		wrong = append(wrong, d.check(part.(map[string]any), v, path)...)
	}
	if of := list(s["oneOf"]); of != nil {
		fits := 0
		for _, part := range of {
			if len(d.check(part.(map[string]any), v, path)) == 0 {
				fits++
			}
		}
		if fits != 1 {
			no("fits %d of oneOf", fits)
		}
	}
	if enum := list(s["enum"]); enum != nil && !slices.ContainsFunc(enum, func(e any) bool { return reflect.DeepEqual(e, v) }) {
		no("%v is none of %v", v, enum)
	}
	kind, _ := s["type"].(string)
	switch v := v.(type) {
	case string:
		if kind != "string" && kind != "" {
			no("is a string, not a %s", kind)
		}
		if fault := checkString(s, v); fault != "" {
			no("%s", fault)
		}
	case bool:
		if kind != "boolean" && kind != "" {
			no("is a boolean, not a %s", kind)
		}
	case float64:
		if kind != "number" && kind != "integer" && kind != "" || kind == "integer" && v != math.Trunc(v) {
			no("is a number, not a %s", kind)
		}
		if least, ok := s["minimum"].(float64); ok && (v < least || v == least && s["exclusiveMinimum"] == true) {
			no("is below %v", least)
		}
		if most, ok := s["maximum"].(float64); ok && v > most {
			no("is above %v", most)
		}
	case []any:
		if kind != "array" && kind != "" {
			no("is an array, not a %s", kind)
		}
		if most, ok := s["maxItems"].(float64); ok && float64(len(v)) > most {
			no("has %d items", len(v))
		}
		if items, ok := s["items"].(map[string]any); ok {
			for i, item := range v {
				wrong = append(wrong, d.check(items, item, fmt.Sprintf("%s[%d]", path, i))...)
			}
		}
	case map[string]any:
		if kind != "object" && kind != "" {
			no("is an object, not a %s", kind)
		}
		wrong = append(wrong, d.checkObject(s, v, path)...)
	}
	return wrong
}

func (d document) checkObject(s, v map[string]any, path string) (wrong []string) {
	for _, name := range list(s["required"]) {
		if _, ok := v[name.(string)]; !ok {
			wrong = append(wrong, path+"."+name.(string)+": is not there")
		}
	}
	if most, ok := s["maxProperties"].(float64); ok && float64(len(v)) > most {
		wrong = append(wrong, path+": has too many members")
	}
	properties, _ := s["properties"].(map[string]any)
	for name, value := range v {
		at := path + "." + name
		if of, ok := properties[name].(map[string]any); ok {
			wrong = append(wrong, d.check(of, value, at)...)
			continue
		}
		switch more := s["additionalProperties"].(type) {
		case bool:
			if !more {
				wrong = append(wrong, at+": is no member")
			}
		case map[string]any:
			wrong = append(wrong, d.check(more, value, at)...)
		}
	}
	return wrong
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
			return "is no URI"
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

// TestTheCheckFindsWhatIsWrong holds the checker itself to what it is for.
func TestTheCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := decodeDocument([]byte(`{"components": {"schemas": {"id": {"type": "string", "format": "uuid"}}}}`))
	for _, row := range []struct{ schema, sound, wrong string }{
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
		var sound, wrong any
		require.NoError(t, json.Unmarshal([]byte(row.schema), &s))
		require.NoError(t, json.Unmarshal([]byte(row.sound), &sound))
		require.NoError(t, json.Unmarshal([]byte(row.wrong), &wrong))
		require.Empty(t, d.check(s, sound, "$"), "%s %s", row.schema, row.sound)
		require.NotEmpty(t, d.check(s, wrong, "$"), "%s %s", row.schema, row.wrong)
	}
}
