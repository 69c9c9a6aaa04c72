package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/portal"
)

// OpenAPI is the OpenAPI 3.0 document of the API, as JSON. The handler serves it at
// /openapi.json to who has a key; a host may serve it to anybody.
func OpenAPI() []byte {
	paths := map[string]map[string]any{}
	for _, rt := range routes() {
		paths[rt.path] = map[string]any{}
		for _, method := range rt.methods {
			paths[rt.path][strings.ToLower(method)] = rt.operation(method)
		}
	}
	b, err := json.Marshal(map[string]any{
		"openapi":  "3.0.3",
		"info":     map[string]any{"title": "Customer portals", "version": "1"},
		"paths":    paths,
		"security": []any{map[string]any{"key": []string{}}},
		"components": map[string]any{
			"schemas":         components(),
			"responses":       map[string]any{"error": response("What is wrong", named("error"))},
			"securitySchemes": map[string]any{"key": map[string]any{"type": "http", "scheme": "bearer"}},
		},
	})
	if err != nil {
		panic("httpapi: the OpenAPI document: " + err.Error()) // it is made of maps, lists and words
	}
	return append(b, '\n')
}

// components are the schemas that others name.
func components() map[string]schema {
	out := map[string]schema{
		"error": errorSchema(), "validation_errors": validationSchema(), "finding": findingSchema(), "pagination": paginationSchema(),
		"customer_portal": linkSchema(), "customer_data": customerDataSchema(), "geolocation": geolocationSchema(),
		fieldConfig: object(propertiesOf[portal.Config]()), "push_report": pushReportSchema(), "delete_report": deleteReportSchema(),
	}
	for _, kind := range data.Kinds() {
		out["pushed_"+kind.String()] = resourceSchema(kind)
	}
	return out
}

// failures are the statuses of errors that any operation may answer with.
var failures = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict,
	http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusInternalServerError, http.StatusServiceUnavailable,
}

// operation is what the document says of a route and a method.
func (rt *route) operation(method string) map[string]any {
	responses := map[string]any{"200": response("Done", rt.answerSchema())}
	for _, status := range failures {
		responses[strconv.Itoa(status)] = schema{"$ref": "#/components/responses/error"}
	}
	out := map[string]any{
		"summary":     rt.summary,
		"operationId": strings.ToLower(method) + strings.NewReplacer("/", "_", ".", "_").Replace(rt.path),
		"responses":   responses,
	}
	if rt.document {
		return out
	}
	in := rt.endpoint.request().input()
	inQuery, body := in.options, in.schema()
	if method == http.MethodGet || method == http.MethodDelete {
		inQuery, body = in.params, nil
		if in.data != nil {
			inQuery = in.data.query()
		}
	}
	var parameters []any
	for _, f := range inQuery {
		s := f.Value.Schema()
		one := map[string]any{"name": f.Name, "in": "query", "required": f.Required, "schema": s}
		if s["type"] == "array" {
			one["style"], one["explode"] = "form", true
		}
		parameters = append(parameters, one)
	}
	if parameters != nil {
		out["parameters"] = parameters
	}
	if body != nil {
		out["requestBody"] = map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": body}}}
	}
	return out
}

// schema describes the body of a POST or PATCH.
func (in input) schema() schema {
	if in.data != nil {
		return in.data.schema()
	}
	return form.SchemaOf(in.params)
}

// answerSchema is the answer that is no error. A name that ends in "?" may be absent.
func (rt *route) answerSchema() schema {
	if rt.document {
		return typed("object")
	}
	members, optional := map[string]schema{"ok": {"type": "boolean", "enum": []bool{true}}, "warnings": listOf(named("finding"))}, []string(nil)
	if rt.answer != nil {
		for name, s := range rt.answer() {
			name, isOptional := strings.CutSuffix(name, "?")
			if members[name] = s; isOptional {
				optional = append(optional, name)
			}
		}
	}
	return whole(members, optional...)
}

func response(text string, s schema) map[string]any {
	return map[string]any{"description": text, "content": map[string]any{"application/json": map[string]any{"schema": s}}}
}
