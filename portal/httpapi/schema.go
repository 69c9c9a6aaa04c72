package httpapi

import (
	"maps"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/internal/textrules"
)

// schema is a schema of OpenAPI 3.0.
type schema = form.Schema

func typed(name string) schema { return schema{"type": name} }
func stringSchema() schema     { return typed("string") }
func boolSchema() schema       { return typed("boolean") }
func numberSchema() schema     { return typed("number") }
func integerSchema() schema    { return typed("integer") }
func idSchema() schema         { return schema{"type": "string", "format": "uuid"} }
func timeSchema() schema       { return schema{"type": "string", "format": "date-time"} }
func urlSchema() schema        { return schema{"type": "string", "format": "uri"} }
func keySchema() schema {
	return schema{"type": "string", "minLength": 1, "maxLength": textrules.MaxKeyBytes}
}
func textSchema() schema { return schema{"type": "string", "maxLength": maxTextBytes} }

func limitSchema() schema {
	return schema{"type": "integer", "minimum": 1, "default": defaultPage, "description": "A page has at most 1000, whatever is asked for."}
}

func nullable(s schema) schema               { return with(s, "nullable", true) }
func described(s schema, text string) schema { return with(s, "description", text) }
func listOf(s schema) schema                 { return schema{"type": "array", "items": s} }
func matching(pattern string) schema         { return schema{"type": "string", "pattern": pattern} }
func named(name string) schema               { return schema{"$ref": "#/components/schemas/" + name} }
func mapOf(s schema) schema                  { return schema{"type": "object", "additionalProperties": s} }

func with(s schema, name string, value any) schema {
	out := maps.Clone(s)
	out[name] = value
	return out
}

func oneOf[T ~string](words ...T) schema {
	return schema{"type": "string", "enum": words}
}

// object is a schema of an object that has these members and no others.
func object(members map[string]schema, required ...string) schema {
	out := schema{"type": "object", "properties": members, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = slices.Sorted(slices.Values(required))
	}
	return out
}

// whole is an object of which every member is required.
func whole(members map[string]schema, optional ...string) schema {
	var required []string
	for name := range members {
		if !slices.Contains(optional, name) {
			required = append(required, name)
		}
	}
	return object(members, required...)
}

func findingSchema() schema {
	return whole(map[string]schema{"path": stringSchema(), "rule": stringSchema(), "message": stringSchema()})
}

// fieldSchemas are the fields of resources, by name; those that end in _key and _keys
// are all alike. A patch clears each with null.
var fieldSchemas = map[string]func() schema{
	"name": textSchema, "email_address": textSchema, "phone_number": textSchema, "preferred_code": textSchema,
	"starts_at": timeSchema, "ends_at": timeSchema,
	"duration_minutes": func() schema {
		return schema{"type": "integer", "minimum": 0, "exclusiveMinimum": true}
	},
	"customer_data.time_zone":             textSchema,
	"customer_data.address":               textSchema,
	"customer_data.default_checkin_time":  func() schema { return matching(`^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$`) },
	"customer_data.default_checkout_time": func() schema { return matching(`^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$`) },
	"geolocation":                         func() schema { return named("geolocation") },
	"custom_metadata":                     metadataSchema,
}

func metadataSchema() schema {
	return schema{"type": "object", "maxProperties": 50, "additionalProperties": nullable(schema{
		"oneOf": []schema{{"type": "string", "maxLength": 500}, boolSchema()},
	})}
}

func geolocationSchema() schema {
	degrees := func(most int) schema { return schema{"type": "number", "minimum": -most, "maximum": most} }
	return whole(map[string]schema{"latitude": degrees(90), "longitude": degrees(180)})
}

// resourceSchema is an entry of a kind's collection.
func resourceSchema(kind data.Kind) schema {
	properties := map[string]schema{kind.KeyField(): keySchema()}
	for _, name := range kind.Fields() {
		of := fieldSchemas[name]
		switch {
		case of != nil:
		case strings.HasSuffix(name, "_keys"):
			of = func() schema { return listOf(keySchema()) }
		case strings.HasSuffix(name, "_key"):
			of = keySchema
		default:
			panic("httpapi: fieldSchemas has no schema of the field " + name)
		}
		if parent, inner, inside := strings.Cut(name, "."); inside {
			if properties[parent] == nil {
				properties[parent] = nullable(object(map[string]schema{}))
			}
			properties[parent]["properties"].(map[string]schema)[inner] = nullable(of())
			continue
		}
		properties[name] = nullable(of())
		if of := properties[name]; of["$ref"] != nil {
			properties[name] = schema{"nullable": true, "allOf": []schema{named("geolocation")}}
		}
	}
	return object(properties, kind.KeyField())
}

func customerDataSchema() schema {
	properties := map[string]schema{
		"customer_key":       keySchema(),
		"customer_name":      nullable(described(with(stringSchema(), "maxLength", 200), "What people call the customer: the title of its pages. At most 200 bytes.")),
		"customer_time_zone": nullable(described(textSchema(), "IANA time zone of the spaces that have none and lie in no site that has one.")),
	}
	for _, kind := range data.Kinds() {
		properties[kind.Collection()] = nullable(listOf(named("pushed_" + kind.String())))
	}
	return object(properties, "customer_key")
}

func refSchema() schema {
	return whole(map[string]schema{"kind": kindSchema(), "key": stringSchema()})
}

func kindSchema() schema {
	var names []string
	for _, kind := range data.Kinds() {
		names = append(names, kind.String())
	}
	return oneOf(names...)
}

// propertiesOf returns the properties of a registered type, as a body has them: null clears.
func propertiesOf[T any]() map[string]schema {
	return form.SchemaOf(form.BodyOf(new(T)).Fields)["properties"].(map[string]schema)
}
