package httpapi

import (
	"maps"

	"github.com/customerportal-go/customerportal/access"
)

func codeRef() schema   { return schemaRef("access_code") }
func methodRef() schema { return schemaRef(methodClass) }

func unmanagedRef() schema { return schemaRef("unmanaged_access_code") }

func pinSchema() schema { return nullable(described(stringSchema(), "The PIN. Keep it out of logs.")) }

// problems returns the schema of a list of errors or warnings. name is the name of the member with their code.
func problems(name string, extra map[string]schema) schema {
	members := map[string]schema{name: stringSchema(), "message": stringSchema(), "created_at": timeSchema()}
	optional := []string{}
	for member, s := range extra {
		members[member] = s
		optional = append(optional, member)
	}
	return arrayOf(allRequired(members, optional...))
}

// codeErrors describes the errors of a code, which include those of its device and of its account.
func codeErrors() schema {
	return problems("error_code", map[string]schema{
		"is_access_code_error": boolSchema(), "is_device_error": boolSchema(), "is_connected_account_error": boolSchema(),
	})
}

// anyCode returns the members that managed and unmanaged access codes have in common.
func anyCode() map[string]schema {
	return map[string]schema{
		"access_code_id": idSchema(), "device_id": idSchema(), "connected_account_id": idSchema(), "workspace_id": idSchema(), "customer_key": stringSchema(),
		"name": nullable(stringSchema()), "code": pinSchema(), "type": enumOf("ongoing", "time_bound"),
		"created_at": timeSchema(), "starts_at": nullable(timeSchema()), "ends_at": nullable(timeSchema()), "is_managed": boolSchema(),
		"errors": codeErrors(), "warnings": problems("warning_code", nil),
	}
}

func codeSchema() schema {
	never := boolSchema()
	members := anyCode()
	maps.Copy(members, map[string]schema{
		"status":          enumOf(access.CodeUnset, access.CodeSetting, access.CodeSet, access.CodeRemoving, access.CodeUnknown),
		"common_code_key": nullable(stringSchema()), "is_backup": never, "is_backup_access_code_available": never, "is_external_modification_allowed": never,
		"is_offline_access_code": never, "is_one_time_use": never, "is_waiting_for_code_assignment": never,
		"is_scheduled_on_device": boolSchema(),
		"access_grant_id":        described(idSchema(), "Absent for the code of a staff member."), "access_method_id": idSchema(),
		"pending_mutations": arrayOf(allRequired(map[string]schema{
			"mutation_code": enumOf("creating", "deferring_creation", "deleting", "updating_code"), "message": stringSchema(), "created_at": timeSchema(), "scheduled_at": timeSchema(),
			"from": allRequired(map[string]schema{"code": pinSchema()}), "to": allRequired(map[string]schema{"code": pinSchema()}),
		}, "scheduled_at", "from", "to")),
	})
	return allRequired(members, "access_grant_id", "access_method_id")
}

func unmanagedSchema() schema {
	members := anyCode()
	members["status"], members["slot"] = described(enumOf(access.CodeSet, access.CodeUnset), "unset if the code is on the lock and does not open it."), integerSchema()
	members["possibly_ours"] = described(boolSchema(), "The name is one that this library gives its codes.")
	return allRequired(members)
}

func createCodeResponse() map[string]schema {
	return map[string]schema{"access_code": codeRef(), "action_attempt": attemptRef()}
}

func generatedCodeResponse() map[string]schema {
	return map[string]schema{"generated_code": codeRef()}
}

func methodSchema() schema {
	ids := allRequired(map[string]schema{"device_ids": arrayOf(idSchema())})
	return allRequired(map[string]schema{
		"access_method_id": idSchema(), "access_grant_id": idSchema(), "workspace_id": idSchema(), "customer_key": stringSchema(), "display_name": stringSchema(),
		"mode": enumOf(methodCode), "code": pinSchema(), "created_at": timeSchema(), "is_issued": boolSchema(), "issued_at": nullable(timeSchema()),
		"display_status": stringSchema(), "errors": problems("error_code", nil), "warnings": problems("warning_code", nil),
		"pending_mutations": arrayOf(allRequired(map[string]schema{
			"mutation_code": enumOf("provisioning_access"), "message": stringSchema(), "created_at": timeSchema(), "from": ids, "to": ids,
		})),
	})
}

// ruleSchema describes an access rule of the API.
func ruleSchema(name string, config schema, required ...string) schema {
	return object(map[string]schema{"rule": enumOf(name), "config": config}, append(required, "rule")...)
}

func accessRulesSchema() schema {
	config := object(map[string]schema{
		fieldMethods:                       described(arrayOf(enumOf(methodCode, "card", "mobile_key")), "Must contain code. There are no cards and no mobile keys."),
		"method_issuance_strategy":         enumOf(methodStrategies...),
		"card_count_on_reservation_create": withKeyword(integerSchema(), "minimum", 0),
		"instant_key_max_use_count":        withKeyword(integerSchema(), "minimum", 1),
		fieldPhone:                         boolSchema(),
		"allow_shared_email_and_phone_across_user_identities": boolSchema(),
	}, fieldMethods)
	rules := map[string]schema{
		ruleCreated: nullable(ruleSchema(ruleCreated, config, "config")),
		ruleStaff:   nullable(ruleSchema(ruleStaff, object(map[string]schema{}))),
	}
	for _, name := range fixedRules {
		rules[name] = ruleSchema(name, object(map[string]schema{}))
	}
	for name := range minutesRules {
		rules[name] = nullable(withKeyword(withKeyword(integerSchema(), "minimum", 0), "maximum", 1440))
	}
	return object(rules)
}

func climateRulesSchema() schema {
	preset := map[string]schema{
		"mode": enumOf("heat", "cool", "auto"), "fan_mode": fanModeParam.schema(), "is_override_allowed": boolSchema(), "max_override_period_minutes": numberSchema(),
	}
	temperatures(preset, heatingField, coolingField)
	created := map[string]schema{fieldBefore: nullable(withKeyword(withKeyword(integerSchema(), "minimum", 0), "maximum", 1440))}
	for _, name := range []string{"occupied", "unoccupied"} {
		created[name+"_preset_key"], created["automated_"+name+"_preset"] = nullable(keySchema()), nullable(object(preset, "mode"))
	}
	empty := object(map[string]schema{})
	return object(map[string]schema{
		"rules": object(map[string]schema{ruleCreated: nullable(object(created)), "reservation_deleted": empty, "reservation_time_updated": empty}),
	})
}

func rulesResponse() map[string]schema {
	return map[string]schema{"access_rules": accessRulesSchema(), "climate_rules": climateRulesSchema()}
}

func customerRulesResponse() map[string]schema {
	return map[string]schema{"automation": allRequired(rulesResponse())}
}

// runResultSchema describes the result of an automation run. extra are further members.
func runResultSchema(extra map[string]schema) schema {
	members := map[string]schema{
		"success": boolSchema(), "rule": stringSchema(), "error": stringSchema(), "message": stringSchema(),
		"actions": arrayOf(allRequired(map[string]schema{
			"action_type": enumOf("create", "update", "delete"), "resource_type": stringSchema(), "access_grant_id": idSchema(),
			"count": described(integerSchema(), "The number of access codes."),
		})),
	}
	maps.Copy(members, extra)
	return allRequired(members, "error", "message")
}

func runsResponse() map[string]schema {
	return page("automation_runs", func() schema {
		return allRequired(map[string]schema{
			"automation_run_id": idSchema(), "workspace_id": idSchema(), "customer_key": stringSchema(), "automation_id": nullable(idSchema()),
			"partner_resource_id": nullable(idSchema()), "partner_key": stringSchema(), "resource_type": stringSchema(),
			"resource_type_alias": nullable(stringSchema()), "created_at": timeSchema(), "automation_result": runResultSchema(nil),
		})
	})()
}
