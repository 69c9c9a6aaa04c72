package httpapi

import (
	"maps"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/portal"
)

// schema is a schema of OpenAPI 3.0.
type schema map[string]any

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
func textSchema() schema  { return schema{"type": "string", "maxLength": maxTextBytes} }
func colorSchema() schema { return matching(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`) }

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
		default:
			of = keySchema
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

func selectionSchema() schema {
	properties := map[string]schema{}
	for _, p := range selectionParams() {
		properties[p.name] = p.kind.schema()
	}
	return object(properties)
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

// Configuration, as create_portal and portals/update take it: null clears.

func configProperties() map[string]schema {
	flag := func() schema { return nullable(boolSchema()) }
	texts := func() schema { return nullable(listOf(stringSchema())) }
	section := func(members map[string]schema) schema {
		members["exclude"] = flag()
		return nullable(object(members))
	}
	return map[string]schema{
		"features": nullable(object(map[string]schema{
			"connect":        section(map[string]schema{"accepted_providers": texts(), "excluded_providers": texts()}),
			"organize":       section(map[string]schema{}),
			"manage_devices": section(map[string]schema{}),
			"manage": section(map[string]schema{
				"exclude_reservation_management": flag(), "exclude_reservation_technical_details": flag(), "exclude_staff_management": flag(),
				"events": nullable(object(map[string]schema{"allowed_events": texts(), "default_events": texts()})),
				"device_management_confirmation": nullable(object(map[string]schema{
					"title": nullable(textSchema()), "body": nullable(textSchema()), "confirm_button_label": nullable(textSchema()), "cancel_button_label": nullable(textSchema()),
				})),
			}),
			"configure": section(map[string]schema{
				"allow_access_automation_rule_customization": flag(), "allow_climate_automation_rule_customization": flag(), "allow_instant_key_customization": flag(),
			}),
		})),
		"is_embedded":              flag(),
		"navigation_mode":          nullable(oneOf(portal.NavigationFull, portal.NavigationRestricted)),
		"read_only":                flag(),
		"landing_page":             nullable(landingSchema()),
		"deep_link":                nullable(deepLinkSchema()),
		"locale":                   nullable(oneOf(portal.Locales()...)),
		"exclude_locale_picker":    flag(),
		"time_zone":                nullable(described(textSchema(), "The IANA name, such as Europe/Lisbon, of the time zone of spaces that have none and whose site has none, and of the pages. Absent, the customer's is used.")),
		"customization_profile_id": nullable(idSchema()),
		"customer_resources_filters": nullable(with(listOf(whole(map[string]schema{
			"field": matching(`^[a-zA-Z_]\w*$`), "operation": oneOf("="), "value": {"oneOf": []schema{{"type": "string", "maxLength": 500}, boolSchema()}},
		})), "maxItems", 50)),
		"allowed_frame_origins": nullable(with(listOf(stringSchema()), "maxItems", 20)),
		"return_url":            nullable(urlSchema()),
	}
}

// landingSchema names one space or access grant by a key of its kind.
func landingSchema() schema {
	keys := map[string]schema{}
	for _, class := range []data.Class{data.ClassSpace, data.ClassAccessGrant} {
		for _, kind := range data.Kinds(class) {
			keys[kind.KeyField()] = nullable(keySchema())
		}
	}
	return object(map[string]schema{"manage": nullable(with(object(keys), "maxProperties", len(keys)))})
}

func deepLinkSchema() schema {
	return object(map[string]schema{"resource_type": oneOf("reservation", "space"), "resource_key": keySchema()}, "resource_type", "resource_key")
}

func configSchema() schema {
	return object(configProperties())
}

func createSchema() schema {
	properties := configProperties()
	properties[fieldData] = schema{"nullable": true, "allOf": []schema{named("customer_data")}}
	properties["_dev"] = described(boolSchema(), "Has no effect.")
	properties[fieldKey] = described(keySchema(), "Of a customer that is there, in place of customer_data.")
	properties[fieldTTL] = described(schema{"type": "integer", "minimum": 1}, "How long the portal opens.")
	properties[fieldMaxUses] = described(schema{"type": "integer", "minimum": 0, "maximum": 1_000_000}, "How often the link begins a session; 0 is any number.")
	return object(properties)
}

func updateSchema() schema {
	return whole(map[string]schema{portalID.name: idSchema(), fieldConfig: named("portal_configuration")})
}

func settingsSchema() schema {
	return object(map[string]schema{"business_vertical": nullable(oneOf(portal.Verticals()...)), "slug": nullable(matching(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$`))})
}

func profileProperties() map[string]schema {
	theme := map[string]schema{}
	for _, f := range themeFields(new(portal.Theme)) {
		theme[f.name] = nullable(colorSchema())
		if strings.HasSuffix(f.name, "font_family") {
			theme[f.name] = nullable(textSchema())
		}
	}
	return map[string]schema{
		"name": nullable(textSchema()), "logo_url": nullable(urlSchema()),
		"primary_color": nullable(colorSchema()), "secondary_color": nullable(colorSchema()),
		"customer_portal_theme": nullable(object(theme)),
		"message_overrides":     nullable(mapOf(nullable(mapOf(nullable(stringSchema()))))),
	}
}

func profileBody() schema { return object(profileProperties()) }

func profileUpdateSchema() schema {
	properties := profileProperties()
	properties[profileID.name] = idSchema()
	return object(properties, profileID.name)
}
