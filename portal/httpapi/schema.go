package httpapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
)

// schema is a schema of OpenAPI 3.0.
type schema = jsonobject.Schema

func typeSchema(name string) schema { return schema{"type": name} }
func stringSchema() schema          { return typeSchema("string") }
func boolSchema() schema            { return typeSchema("boolean") }
func numberSchema() schema          { return typeSchema("number") }
func integerSchema() schema         { return typeSchema("integer") }
func idSchema() schema              { return schema{"type": "string", "format": "uuid"} }
func timeSchema() schema            { return schema{"type": "string", "format": "date-time"} }
func urlSchema() schema             { return schema{"type": "string", "format": "uri"} }
func keySchema() schema {
	return schema{"type": "string", "minLength": 1, "maxLength": textrules.MaxKeyBytes}
}
func textSchema() schema { return schema{"type": "string", "maxLength": maxTextBytes} }

func limitSchema() schema {
	return schema{"type": "integer", "minimum": 1, "default": defaultPage, "description": "The maximum number of items of the page. A value above 1000 means 1000."}
}

// nullable returns the schema of a value that is null or matches s.
func nullable(s schema) schema {
	if s["$ref"] != nil { // OpenAPI 3.0 ignores the keywords next to $ref
		return schema{"nullable": true, "allOf": []schema{s}}
	}
	return withKeyword(s, "nullable", true)
}

func described(s schema, text string) schema { return withKeyword(s, "description", text) }
func arrayOf(s schema) schema                { return schema{"type": "array", "items": s} }
func patternSchema(pattern string) schema    { return schema{"type": "string", "pattern": pattern} }
func schemaRef(name string) schema           { return schema{"$ref": "#/components/schemas/" + name} }
func mapOf(s schema) schema                  { return schema{"type": "object", "additionalProperties": s} }

// withKeyword returns a copy of s with a keyword set.
func withKeyword(s schema, name string, value any) schema {
	out := maps.Clone(s)
	out[name] = value
	return out
}

// enumOf returns the schema of a string that is one of the words.
func enumOf[T ~string](words ...T) schema {
	return schema{"type": "string", "enum": words}
}

// object returns the schema of an object that may have these members and no others.
func object(members map[string]schema, required ...string) schema {
	out := schema{"type": "object", "properties": members, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = slices.Sorted(slices.Values(required))
	}
	return out
}

// allRequired returns the schema of an object whose members are required, except the optional ones.
func allRequired(members map[string]schema, optional ...string) schema {
	var required []string
	for name := range members {
		if !slices.Contains(optional, name) {
			required = append(required, name)
		}
	}
	return object(members, required...)
}

func findingSchema() schema {
	return allRequired(map[string]schema{"path": stringSchema(), "rule": stringSchema(), "message": stringSchema()})
}

// fieldSchemas describes the fields of resources by name. It does not contain the fields whose names end in _key or _keys.
var fieldSchemas = map[string]func() schema{
	"name": textSchema, "email_address": textSchema, "phone_number": textSchema, "preferred_code": textSchema,
	"starts_at": timeSchema, "ends_at": timeSchema,
	"device_ids": func() schema { return arrayOf(idSchema()) },
	"duration_minutes": func() schema {
		return schema{"type": "integer", "minimum": 0, "exclusiveMinimum": true}
	},
	"customer_data.time_zone":             textSchema,
	"customer_data.address":               textSchema,
	"customer_data.default_checkin_time":  timeOfDaySchema,
	"customer_data.default_checkout_time": timeOfDaySchema,
	"geolocation":                         func() schema { return schemaRef("geolocation") },
	"custom_metadata":                     metadataSchema,
}

func metadataSchema() schema {
	return schema{"type": "object", "maxProperties": 50, "additionalProperties": nullable(schema{
		"oneOf": []schema{{"type": "string", "maxLength": 500}, boolSchema()},
	})}
}

func timeOfDaySchema() schema { return patternSchema(textrules.TimeOfDayPattern) }

func geolocationSchema() schema {
	degrees := func(limit int) schema { return schema{"type": "number", "minimum": -limit, "maximum": limit} }
	return allRequired(map[string]schema{"latitude": degrees(90), "longitude": degrees(180)})
}

// resourceSchema describes an element of the collection of a kind. Null clears a field.
func resourceSchema(kind data.Kind) schema {
	properties := map[string]schema{kind.KeyField(): keySchema()}
	for _, name := range kind.Fields() {
		field := fieldSchemas[name]
		switch {
		case field != nil:
		case strings.HasSuffix(name, "_keys"):
			field = func() schema { return arrayOf(keySchema()) }
		case strings.HasSuffix(name, "_key"):
			field = keySchema
		default:
			panic("httpapi: fieldSchemas has no schema for the field " + name)
		}
		if parent, inner, inside := strings.Cut(name, "."); inside {
			if properties[parent] == nil {
				properties[parent] = nullable(object(map[string]schema{}))
			}
			properties[parent]["properties"].(map[string]schema)[inner] = nullable(field())
			continue
		}
		properties[name] = nullable(field())
	}
	if kind == data.KindStaffMember {
		const text = "Only this library has this field. It is the %s of the time in which the staff member serves the spaces; access codes are valid in this time only."
		properties["starts_at"] = described(properties["starts_at"], fmt.Sprintf(text, "start"))
		properties["ends_at"] = described(properties["ends_at"], fmt.Sprintf(text, "end"))
	}
	return object(properties, kind.KeyField())
}

func customerDataSchema() schema {
	properties := map[string]schema{
		"customer_key":       keySchema(),
		"customer_name":      nullable(described(withKeyword(stringSchema(), "maxLength", 200), "The name of the customer. Its pages have the name as their title. At most 200 bytes.")),
		"customer_time_zone": nullable(described(textSchema(), "The IANA time zone of the spaces that have none, and are not in a site that has one.")),
	}
	for _, kind := range data.Kinds() {
		properties[kind.Collection()] = nullable(arrayOf(schemaRef("pushed_" + kind.String())))
	}
	return object(properties, "customer_key")
}

func refSchema() schema {
	return allRequired(map[string]schema{"kind": kindSchema(), "key": stringSchema()})
}

func kindSchema() schema {
	var names []string
	for _, kind := range data.Kinds() {
		names = append(names, kind.String())
	}
	return enumOf(names...)
}

// propertiesOf returns the properties of a type that is registered in package jsonobject.
func propertiesOf[T any]() map[string]schema {
	return jsonobject.SchemaOf(jsonobject.BodyOf(new(T)).Fields)["properties"].(map[string]schema)
}
