package httpapi

import (
	"maps"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// What the routes answer, beside ok and warnings.

// one answers with one thing.
func one(name string, of func() schema) func() map[string]schema {
	return func() map[string]schema { return map[string]schema{name: of()} }
}

// pageOf answers with a page of a list.
func pageOf(name string, of func() schema) func() map[string]schema {
	return func() map[string]schema {
		return map[string]schema{name: listOf(of()), "pagination": named("pagination")}
	}
}

func paginationSchema() schema {
	return whole(map[string]schema{"next_page_cursor": nullable(stringSchema()), "has_next_page": boolSchema(), "next_page_url": nullable(urlSchema())})
}

func linkSchema() schema {
	return whole(map[string]schema{
		"url": urlSchema(), "customer_key": stringSchema(), "created_at": timeSchema(), "expires_at": timeSchema(), "workspace_id": idSchema(),
	})
}

func createAnswer() map[string]schema {
	return map[string]schema{
		"customer_portal": named("customer_portal"), "magic_link": named("customer_portal"), "customer_portal_id": idSchema(),
		"report?": named("push_report"),
	}
}

func openAnswer() map[string]schema {
	return map[string]schema{"customer_portal": named("customer_portal"), "magic_link": named("customer_portal"), "customer_portal_id": idSchema()}
}

func deepLinkAnswer() map[string]schema {
	return map[string]schema{"deep_link": whole(map[string]schema{"url": urlSchema(), "expires_at": timeSchema(), "customer_portal_id": idSchema()})}
}

// pushReport is data.PushReport.
func pushReport() map[string]schema {
	tally := whole(map[string]schema{"spaces": integerSchema(), "user_identities": integerSchema(), "access_grants": integerSchema()})
	return map[string]schema{
		"customer_key": stringSchema(), "customer_created": boolSchema(), "customer_updated": boolSchema(), "created": tally, "updated": tally, "unchanged": tally, "cancelled": tally,
		"resources": listOf(whole(map[string]schema{
			"kind": kindSchema(), "key": stringSchema(), "id": idSchema(), "change": oneOf(data.Created, data.Updated, data.Unchanged, data.Cancelled),
			"portal": portalChangesSchema(),
		}, "portal")),
		"skipped": listOf(named("finding")),
	}
}

// portalChangesSchema is data.PortalChanges.
func portalChangesSchema() schema {
	return object(map[string]schema{
		"kept": listOf(stringSchema()), "overwritten": listOf(stringSchema()), "taken_over": boolSchema(), "cancelled": boolSchema(),
	})
}

func pushReportSchema() schema { return whole(pushReport(), "skipped") }

func pushAnswer() map[string]schema { return map[string]schema{"report": named("push_report")} }

func deletedSchema() schema {
	return listOf(whole(map[string]schema{
		"customer_key": stringSchema(), "kind": kindSchema(), "key": stringSchema(), "id": idSchema(), "because": refSchema(),
	}, "because"))
}

func revokedSchema() schema {
	return listOf(whole(map[string]schema{"customer_key": stringSchema(), "customer_portal_id": idSchema(), "because": refSchema()}, "because"))
}

func detachedSchema() schema {
	return listOf(whole(map[string]schema{"customer_key": stringSchema(), "from": refSchema(), "to": refSchema()}))
}

func syncAnswer() map[string]schema {
	report := pushReport()
	maps.Copy(report, map[string]schema{"deleted": deletedSchema(), "revoked": revokedSchema(), "detached": detachedSchema()})
	return map[string]schema{"report": whole(report, "skipped", "deleted", "revoked", "detached")}
}

func deleteReportSchema() schema {
	return object(map[string]schema{
		"customers": listOf(stringSchema()), "customers_not_found": listOf(stringSchema()), "not_found": listOf(refSchema()),
		"deleted": deletedSchema(), "revoked": revokedSchema(),
		"detached": detachedSchema(),
	})
}

func deleteAnswer() map[string]schema { return map[string]schema{"report": named("delete_report")} }
func planAnswer() map[string]schema   { return map[string]schema{"plan": named("delete_report")} }
func exportAnswer() map[string]schema {
	return map[string]schema{"customer_data": named("customer_data")}
}

func customersAnswer() map[string]schema {
	return pageOf("customers", func() schema {
		return whole(map[string]schema{
			"customer_key": stringSchema(), "customer_name": nullable(stringSchema()), "customer_time_zone": nullable(stringSchema()),
			"workspace_id": idSchema(), "created_at": timeSchema(), "counts": mapOf(integerSchema()),
		})
	})()
}

func changesAnswer() map[string]schema {
	return pageOf("changes", func() schema {
		return whole(map[string]schema{
			"change":       oneOf(data.Created, data.Updated, data.Deleted, data.PortalOpened, data.PortalExpired, data.PortalRevoked),
			"customer_key": stringSchema(), "class": stringSchema(), "kind": stringSchema(), "key": stringSchema(), "id": idSchema(),
			"at": timeSchema(), "actor": actorSchema(), "cursor": stringSchema(),
			"changed_fields": described(listOf(stringSchema()), "Of an update: the fields that have another value since."),
		}, "changed_fields")
	})()
}

// actorSchema is data.Actor.
func actorSchema() schema {
	return whole(map[string]schema{
		"type":               oneOf(data.ActorHost, data.ActorPortal, data.ActorAutomation, data.ActorConnector),
		"customer_portal_id": described(idSchema(), "Of the portal whose visitor made the change."),
		"name":               described(stringSchema(), "Of the automation or connector that made the change."),
	}, "customer_portal_id", "name")
}

// portalSchema is a portal as it is told of: without its link.
func portalSchema() schema {
	properties := propertiesOf[portal.Config]()
	required := map[string]schema{
		"customer_portal_id": idSchema(), "customer_key": stringSchema(), "workspace_id": idSchema(), "created_at": timeSchema(), "expires_at": timeSchema(),
		"state":    oneOf(portal.StateLive, portal.StateUsedUp, portal.StateExpired, portal.StateRevoked),
		"max_uses": integerSchema(), "uses": integerSchema(),
	}
	var names []string
	for name, s := range required {
		properties[name] = s
		names = append(names, name)
	}
	properties["business_vertical"] = oneOf(portal.Verticals()...)
	return object(properties, append(names, "features", "is_embedded", "navigation_mode", "read_only", "exclude_locale_picker")...)
}

func portalAnswer() map[string]schema  { return map[string]schema{"customer_portal": portalSchema()} }
func portalsAnswer() map[string]schema { return pageOf("customer_portals", portalSchema)() }
func revokeAllAnswer() map[string]schema {
	return map[string]schema{"revoked": integerSchema()}
}

func settingsAnswer() map[string]schema {
	return map[string]schema{"business_vertical": oneOf(portal.Verticals()...), "slug": nullable(stringSchema())}
}

func aliasesAnswer() map[string]schema {
	alias := whole(map[string]schema{"resource_key": stringSchema(), "resource_label": stringSchema(), "collection_key": stringSchema(), "collection_label": stringSchema()})
	return map[string]schema{"vertical_resource_aliases": whole(map[string]schema{
		"space": alias, "additional_spaces": listOf(alias), "user_identity": alias, "access_grant": alias,
	})}
}

func profileSchema() schema {
	properties := propertiesOf[portal.Profile]()
	maps.Copy(properties, map[string]schema{fieldProfile: idSchema(), "workspace_id": idSchema(), "created_at": timeSchema()})
	return object(properties, fieldProfile, "workspace_id", "created_at", "name")
}

func profilesAnswer() map[string]schema {
	return map[string]schema{"customization_profiles": listOf(profileSchema())}
}

// resourceAnswer is a resource as get and list give it.
func resourceAnswer(class data.Class, members map[string]schema, optional ...string) schema {
	maps.Copy(members, map[string]schema{
		class.String() + "_id": idSchema(), class.String() + "_key": stringSchema(), "workspace_id": idSchema(), "customer_key": stringSchema(),
		"created_at": timeSchema(), "kind": kindSchema(),
	})
	return whole(members, optional...)
}

func spaceSchema() schema {
	return resourceAnswer(data.ClassSpace, map[string]schema{
		"name": stringSchema(), "display_name": stringSchema(), "device_count": numberSchema(), "acs_entrance_count": numberSchema(),
		"parent_space_id": idSchema(), "parent_space_key": stringSchema(), "geolocation": named("geolocation"), "duration_minutes": integerSchema(),
		"customer_data": mapOf(nullable(stringSchema())), "custom_metadata": metadataSchema(),
	}, "parent_space_id", "parent_space_key", "geolocation", "duration_minutes", "customer_data", "custom_metadata")
}

func userSchema() schema {
	return resourceAnswer(data.ClassUserIdentity, map[string]schema{
		"display_name": stringSchema(), "full_name": nullable(stringSchema()), "email_address": nullable(stringSchema()), "phone_number": nullable(stringSchema()),
		"merged_user_identity_ids": listOf(idSchema()), "merged_user_identity_keys": listOf(stringSchema()), "acs_user_ids": listOf(idSchema()),
		"errors": listOf(typed("object")), "warnings": listOf(typed("object")),
	})
}

func grantSchema() schema {
	return resourceAnswer(data.ClassAccessGrant, map[string]schema{
		"name": nullable(stringSchema()), "display_name": stringSchema(), "display_status": oneOf("upcoming", "active", "ended"),
		"starts_at":         described(timeSchema(), "Where none was given, created_at."),
		"ends_at":           nullable(timeSchema()),
		"user_identity_id":  described(nullable(idSchema()), "Null where the grant names nobody, or nobody who is there."),
		"user_identity_key": stringSchema(), "space_ids": listOf(idSchema()), "space_keys": listOf(stringSchema()), "reservation_key": stringSchema(),
		"location_ids": listOf(idSchema()), "access_method_ids": listOf(idSchema()), "errors": listOf(typed("object")), "warnings": listOf(typed("object")),
		"pending_mutations": listOf(typed("object")), "custom_metadata": metadataSchema(),
		"requested_access_methods": listOf(whole(map[string]schema{
			"display_name": stringSchema(), "mode": oneOf("code"), "code": matching(`^\d{4,9}$`), "created_at": timeSchema(), "created_access_method_ids": listOf(idSchema()),
		})),
	}, "user_identity_key", "reservation_key", "custom_metadata")
}

// errorSchema is the answer that is an error. validation_errors nests by field.
func errorSchema() schema {
	return whole(map[string]schema{
		"ok": {"type": "boolean", "enum": []bool{false}},
		"error": whole(map[string]schema{
			"type": stringSchema(), "message": stringSchema(), "request_id": idSchema(), "validation_errors": named("validation_errors"),
		}, "validation_errors"),
	})
}

func validationSchema() schema {
	return schema{
		"type": "object", "required": []string{errorsField},
		"properties":           map[string]schema{errorsField: listOf(stringSchema())},
		"additionalProperties": named("validation_errors"),
	}
}
