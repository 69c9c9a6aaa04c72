package httpapi

import (
	"maps"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/portal"
)

// The members of the responses of the routes, besides ok and warnings. A name that ends in "?" may be absent.

// single returns a response with one member.
func single(name string, item func() schema) func() map[string]schema {
	return func() map[string]schema { return map[string]schema{name: item()} }
}

// page returns a response with a page of a list.
func page(name string, item func() schema) func() map[string]schema {
	return func() map[string]schema {
		return map[string]schema{name: arrayOf(item()), "pagination": schemaRef("pagination")}
	}
}

func paginationSchema() schema {
	return allRequired(map[string]schema{"next_page_cursor": nullable(stringSchema()), "has_next_page": boolSchema(), "next_page_url": nullable(urlSchema())})
}

func linkSchema() schema {
	return allRequired(map[string]schema{
		"url": urlSchema(), "customer_key": stringSchema(), "created_at": timeSchema(), "expires_at": timeSchema(), "workspace_id": idSchema(),
	})
}

func createPortalResponse() map[string]schema {
	return map[string]schema{
		"customer_portal": schemaRef("customer_portal"), "magic_link": schemaRef("customer_portal"), "customer_portal_id": idSchema(),
		"report?": schemaRef("push_report"),
	}
}

func openPortalResponse() map[string]schema {
	return map[string]schema{"customer_portal": schemaRef("customer_portal"), "magic_link": schemaRef("customer_portal"), "customer_portal_id": idSchema()}
}

func deepLinkResponse() map[string]schema {
	return map[string]schema{"deep_link": resourceLinkSchema()}
}

func guestLinkResponse() map[string]schema {
	return map[string]schema{"guest_link": resourceLinkSchema()}
}

func resourceLinkSchema() schema {
	return allRequired(map[string]schema{"url": urlSchema(), "expires_at": timeSchema(), "customer_portal_id": idSchema()})
}

// pushReportMembers returns the members of a data.PushReport.
func pushReportMembers() map[string]schema {
	tally := allRequired(map[string]schema{"spaces": integerSchema(), "user_identities": integerSchema(), "access_grants": integerSchema()})
	return map[string]schema{
		"customer_key": stringSchema(), "customer_created": boolSchema(), "customer_updated": boolSchema(), "created": tally, "updated": tally, "unchanged": tally, "cancelled": tally,
		"resources": arrayOf(allRequired(map[string]schema{
			"kind": kindSchema(), "key": stringSchema(), "id": idSchema(), "change": enumOf(data.Created, data.Updated, data.Unchanged, data.Cancelled),
			"portal": portalChangesSchema(),
		}, "portal")),
		"skipped": arrayOf(schemaRef("finding")),
	}
}

// portalChangesSchema describes a data.PortalChanges.
func portalChangesSchema() schema {
	return object(map[string]schema{
		"kept": arrayOf(stringSchema()), "overwritten": arrayOf(stringSchema()), "taken_over": boolSchema(), "cancelled": boolSchema(),
	})
}

func pushReportSchema() schema { return allRequired(pushReportMembers(), "skipped") }

func pushResponse() map[string]schema { return map[string]schema{"report": schemaRef("push_report")} }

func deletedSchema() schema {
	return arrayOf(allRequired(map[string]schema{
		"customer_key": stringSchema(), "kind": kindSchema(), "key": stringSchema(), "id": idSchema(), "because": refSchema(),
	}, "because"))
}

func revokedSchema() schema {
	return arrayOf(allRequired(map[string]schema{"customer_key": stringSchema(), "customer_portal_id": idSchema(), "because": refSchema()}, "because"))
}

func detachedSchema() schema {
	return arrayOf(allRequired(map[string]schema{"customer_key": stringSchema(), "from": refSchema(), "to": refSchema()}))
}

func unmappedSchema() schema {
	return described(arrayOf(allRequired(map[string]schema{"customer_key": stringSchema(), "device_id": idSchema(), "space": refSchema()})),
		"The mappings of devices to deleted spaces, which were removed.")
}

func codeRemovalsSchema() schema {
	return described(arrayOf(allRequired(map[string]schema{
		"customer_key": stringSchema(), "device_id": idSchema(), "access_code_id": idSchema(), "because": refSchema(),
	}, "because")), "The access codes whose removal from their devices is scheduled.")
}

func syncResponse() map[string]schema {
	report := pushReportMembers()
	maps.Copy(report, map[string]schema{
		"deleted": deletedSchema(), "revoked": revokedSchema(), "detached": detachedSchema(), "unmapped": unmappedSchema(), "code_removals": codeRemovalsSchema(),
	})
	return map[string]schema{"report": allRequired(report, "skipped", "deleted", "revoked", "detached", "unmapped", "code_removals")}
}

func deleteReportSchema() schema {
	return object(map[string]schema{
		"customers": arrayOf(stringSchema()), "customers_not_found": arrayOf(stringSchema()), "not_found": arrayOf(refSchema()),
		"deleted": deletedSchema(), "revoked": revokedSchema(),
		"detached": detachedSchema(), "unmapped": unmappedSchema(), "code_removals": codeRemovalsSchema(),
	})
}

func deleteResponse() map[string]schema {
	return map[string]schema{"report": schemaRef("delete_report")}
}
func planResponse() map[string]schema { return map[string]schema{"plan": schemaRef("delete_report")} }
func exportResponse() map[string]schema {
	return map[string]schema{"customer_data": schemaRef("customer_data")}
}

func customersResponse() map[string]schema {
	return page("customers", func() schema {
		return allRequired(map[string]schema{
			"customer_key": stringSchema(), "customer_name": nullable(stringSchema()), "customer_time_zone": nullable(stringSchema()),
			"workspace_id": idSchema(), "created_at": timeSchema(), "counts": mapOf(integerSchema()),
		})
	})()
}

func changesResponse() map[string]schema {
	return page("changes", func() schema {
		return allRequired(map[string]schema{
			"change":       described(stringSchema(), "created, updated or deleted; for a portal also opened, expired or revoked; for a device the type of the event, such as lock.unlocked."),
			"customer_key": stringSchema(), "class": stringSchema(), "kind": stringSchema(), "key": stringSchema(), "id": idSchema(),
			"at": timeSchema(), "actor": actorSchema(), "cursor": stringSchema(),
			"changed_fields": described(arrayOf(stringSchema()), "For an update, the names of the fields that changed."),
			"device":         deviceEventSchema(),
		}, "changed_fields", "device")
	})()
}

// deviceEventSchema describes a data.DeviceEvent.
func deviceEventSchema() schema {
	return allRequired(map[string]schema{
		"connected_account_id": idSchema(), "occurred_at": described(timeSchema(), "The time according to the device or its provider."),
		"method":            described(stringSchema(), "The way in which a lock was operated, such as keypad."),
		"action_attempt_id": described(idSchema(), "The action attempt that operated the lock."),
		"access_code_id":    described(idSchema(), "The access code that operated the lock."),
		"battery_level":     described(numberSchema(), "The charge of a low battery, from 0 to 1."),
	}, "method", "action_attempt_id", "access_code_id", "battery_level")
}

// actorSchema describes a data.Actor.
func actorSchema() schema {
	return allRequired(map[string]schema{
		"type":               enumOf(data.ActorHost, data.ActorPortal, data.ActorAutomation, data.ActorConnector, data.ActorDevice),
		"customer_portal_id": described(idSchema(), "The portal whose visitor made the change."),
		"name":               described(stringSchema(), "The name of the automation or connector that made the change."),
	}, "customer_portal_id", "name")
}

// portalSchema describes a portal in the responses of get and list, which do not contain the link.
func portalSchema() schema {
	properties := propertiesOf[portal.Config]()
	required := map[string]schema{
		"customer_portal_id": idSchema(), "customer_key": stringSchema(), "workspace_id": idSchema(), "created_at": timeSchema(), "expires_at": timeSchema(),
		"state":    enumOf(portal.StateLive, portal.StateUsedUp, portal.StateExpired, portal.StateRevoked),
		"max_uses": integerSchema(), "uses": integerSchema(), "is_guest_link": boolSchema(),
	}
	var names []string
	for name, s := range required {
		properties[name] = s
		names = append(names, name)
	}
	properties["business_vertical"] = enumOf(portal.Verticals()...)
	return object(properties, append(names, "features", "is_embedded", "navigation_mode", "read_only", "exclude_locale_picker")...)
}

func portalResponse() map[string]schema  { return map[string]schema{"customer_portal": portalSchema()} }
func portalsResponse() map[string]schema { return page("customer_portals", portalSchema)() }
func revokeAllResponse() map[string]schema {
	return map[string]schema{"revoked": integerSchema()}
}

func settingsResponse() map[string]schema {
	return map[string]schema{"business_vertical": enumOf(portal.Verticals()...), "slug": nullable(stringSchema())}
}

func aliasesResponse() map[string]schema {
	alias := allRequired(map[string]schema{"resource_key": stringSchema(), "resource_label": stringSchema(), "collection_key": stringSchema(), "collection_label": stringSchema()})
	return map[string]schema{"vertical_resource_aliases": allRequired(map[string]schema{
		"space": alias, "additional_spaces": arrayOf(alias), "user_identity": alias, "access_grant": alias,
	})}
}

func profileSchema() schema {
	properties := propertiesOf[portal.Profile]()
	maps.Copy(properties, map[string]schema{fieldProfile: idSchema(), "workspace_id": idSchema(), "created_at": timeSchema()})
	return object(properties, fieldProfile, "workspace_id", "created_at", "name")
}

func profilesResponse() map[string]schema {
	return map[string]schema{"customization_profiles": arrayOf(profileSchema())}
}

// resourceResponse describes a resource in the responses of get and list. members are those of its class.
func resourceResponse(class data.Class, members map[string]schema, optional ...string) schema {
	maps.Copy(members, map[string]schema{
		class.String() + "_id": idSchema(), class.String() + "_key": stringSchema(), "workspace_id": idSchema(), "customer_key": stringSchema(),
		"created_at": timeSchema(), "kind": kindSchema(),
	})
	return allRequired(members, optional...)
}

func spaceSchema() schema {
	return resourceResponse(data.ClassSpace, map[string]schema{
		"name": stringSchema(), "display_name": stringSchema(), "device_count": numberSchema(), "acs_entrance_count": numberSchema(),
		"parent_space_id": idSchema(), "parent_space_key": stringSchema(), "geolocation": schemaRef("geolocation"), "duration_minutes": integerSchema(),
		"customer_data": mapOf(nullable(stringSchema())), "custom_metadata": metadataSchema(),
	}, "parent_space_id", "parent_space_key", "geolocation", "duration_minutes", "customer_data", "custom_metadata")
}

func userIdentitySchema() schema {
	return resourceResponse(data.ClassUserIdentity, map[string]schema{
		"display_name": stringSchema(), "full_name": nullable(stringSchema()), "email_address": nullable(stringSchema()), "phone_number": nullable(stringSchema()),
		"merged_user_identity_ids": arrayOf(idSchema()), "merged_user_identity_keys": arrayOf(stringSchema()), "acs_user_ids": arrayOf(idSchema()),
		"errors": arrayOf(typeSchema("object")), "warnings": arrayOf(typeSchema("object")),
	})
}

func accessGrantSchema() schema {
	return resourceResponse(data.ClassAccessGrant, map[string]schema{
		"name": nullable(stringSchema()), "display_name": stringSchema(), "display_status": enumOf("upcoming", "active", "ended"),
		"starts_at":         described(timeSchema(), "The value of created_at if the grant has no start."),
		"ends_at":           nullable(timeSchema()),
		"user_identity_id":  described(nullable(idSchema()), "Null if the grant has no user, or its user does not exist."),
		"user_identity_key": stringSchema(), "space_ids": arrayOf(idSchema()), "space_keys": arrayOf(stringSchema()),
		"device_ids": described(arrayOf(idSchema()), "The devices that the grant names. It also opens those of its spaces."), "reservation_key": stringSchema(),
		"location_ids": arrayOf(idSchema()), "access_method_ids": arrayOf(idSchema()), "errors": arrayOf(typeSchema("object")),
		"warnings":          problems("warning_code", map[string]schema{"device_id": idSchema(), "original_code": stringSchema(), "new_code": stringSchema()}),
		"pending_mutations": arrayOf(typeSchema("object")), "custom_metadata": metadataSchema(),
		"last_automation_result": described(nullable(runResultSchema(map[string]schema{"created_at": timeSchema()})),
			"Of a reservation. Null if no automatic change of the reservation is among the newest 2,000 of the customer."),
		"requested_access_methods": arrayOf(allRequired(map[string]schema{
			"display_name": stringSchema(), "mode": enumOf("code"), "code": patternSchema(textrules.AccessCodePattern), "created_at": timeSchema(), "created_access_method_ids": arrayOf(idSchema()),
		}, "code")),
	}, "user_identity_key", "reservation_key", "custom_metadata", "last_automation_result")
}

// errorSchema describes an error response.
func errorSchema() schema {
	return allRequired(map[string]schema{
		"ok": {"type": "boolean", "enum": []bool{false}},
		"error": allRequired(map[string]schema{
			"type": stringSchema(), "message": stringSchema(), "request_id": idSchema(), "validation_errors": schemaRef("validation_errors"),
		}, "validation_errors"),
	})
}

// validationSchema describes validation_errors, a tree of messages. The path of a fault leads to the node with its message.
func validationSchema() schema {
	return schema{
		"type": "object", "required": []string{errorsField},
		"properties":           map[string]schema{errorsField: arrayOf(stringSchema())},
		"additionalProperties": schemaRef("validation_errors"),
	}
}
