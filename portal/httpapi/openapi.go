package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
)

// OpenAPI returns the OpenAPI 3.0 document of the API as JSON, with the operations for devices. The handler serves the document of
// its own operations at /openapi.json to clients with a key. A host may serve it to everyone.
func OpenAPI() []byte { return document(append(routes(), deviceRoutes()...)) }

// document returns the OpenAPI document of operations.
func document(served []route) []byte {
	paths := map[string]map[string]any{}
	for _, rt := range served {
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
			"responses":       map[string]any{"error": responseObject("The request failed", schemaRef("error"))},
			"securitySchemes": map[string]any{"key": map[string]any{"type": "http", "scheme": "bearer"}},
		},
	})
	if err != nil {
		panic("httpapi: encoding the OpenAPI document: " + err.Error()) // cannot happen: it consists of maps, lists and strings
	}
	return append(b, '\n')
}

// components returns the schemas that other schemas refer to.
func components() map[string]schema {
	out := map[string]schema{
		"error": errorSchema(), "validation_errors": validationSchema(), "finding": findingSchema(), "pagination": paginationSchema(),
		"customer_portal": linkSchema(), "customer_data": customerDataSchema(), "geolocation": geolocationSchema(),
		"device": deviceSchema(), "connected_account": accountSchema(), "connect_webview": webviewSchema(), "action_attempt": attemptSchema(), "device_provider": providerSchema(),
		"access_code": codeSchema(), "unmanaged_access_code": unmanagedSchema(), methodClass: methodSchema(),
		fieldConfig: object(propertiesOf[portal.Config]()), "push_report": pushReportSchema(), "delete_report": deleteReportSchema(),
	}
	for _, kind := range data.Kinds() {
		out["pushed_"+kind.String()] = resourceSchema(kind)
	}
	return out
}

// errorStatuses are the statuses of the error responses of an operation.
var errorStatuses = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict,
	http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable,
}

// operation returns the Operation Object of a route for a method.
func (rt *route) operation(method string) map[string]any {
	responses := map[string]any{"200": responseObject("The request succeeded", rt.responseSchema())}
	for _, status := range errorStatuses {
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
	in := rt.endpoint.newRequest().input()
	inQuery, body := in.options, in.schema()
	if method == http.MethodGet || method == http.MethodDelete {
		inQuery, body = in.params, nil
		if in.data != nil {
			inQuery = in.data.queryParams()
		}
	}
	var parameters []any
	for _, f := range inQuery {
		s := f.Value.Schema()
		parameter := map[string]any{"name": f.Name, "in": "query", "required": f.Required, "schema": s}
		if s["type"] == "array" {
			parameter["style"], parameter["explode"] = "form", true
		}
		parameters = append(parameters, parameter)
	}
	if parameters != nil {
		out["parameters"] = parameters
	}
	if body != nil {
		out["requestBody"] = map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": body}}}
	}
	return out
}

// schema returns the schema of the body of a POST or PATCH.
func (in input) schema() schema {
	if in.data != nil {
		return in.data.schema()
	}
	return jsonobject.SchemaOf(in.params)
}

// responseSchema returns the schema of the response to a request that succeeds.
func (rt *route) responseSchema() schema {
	if rt.document {
		return typeSchema("object")
	}
	members, optional := map[string]schema{"ok": {"type": "boolean", "enum": []bool{true}}, "warnings": arrayOf(schemaRef("finding"))}, []string(nil)
	if rt.response != nil {
		for name, s := range rt.response() {
			name, isOptional := strings.CutSuffix(name, "?")
			if members[name] = s; isOptional {
				optional = append(optional, name)
			}
		}
	}
	return allRequired(members, optional...)
}

// responseObject returns a Response Object.
func responseObject(text string, s schema) map[string]any {
	return map[string]any{"description": text, "content": map[string]any{"application/json": map[string]any{"schema": s}}}
}
