package httpapi_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProfiles_Patch_ChangesOnlyItsMembers creates a profile, changes and clears its members, and deletes it.
func TestProfiles_Patch_ChangesOnlyItsMembers(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		made := f.post(t, "/workspaces/customization_profiles/create", `{"name": "Acme", "logo_url": "https://acme.example/l.png", "primary_color": "#fff",
			"customer_portal_theme": {"primary_color": "#000", "font_family": "Inter"}, "message_overrides": {"de-DE": {"a": "A", "b": "B"}, "el-GR": {"a": "Α"}}}`)
		id := made.at("customization_profile", "customization_profile_id").(string)
		get := func() object {
			return f.send(t, keyA, http.MethodGet, "/workspaces/customization_profiles/get?customization_profile_id="+id, "").at("customization_profile").(object)
		}
		require.Equal(t, made.at("customization_profile"), any(get()))
		for _, step := range []struct {
			patch string
			field string
			want  string
		}{
			{`{}`, "name", `"Acme"`},
			{`{"name": null}`, "name", `null`},
			{`{"name": "B"}`, "name", `"B"`},
			{`{"primary_color": null}`, "primary_color", ``},
			{`{"customer_portal_theme": {"primary_color": null, "mono_font_family": "Mono"}}`, "customer_portal_theme", `{"font_family": "Inter", "mono_font_family": "Mono"}`},
			{`{"customer_portal_theme": null}`, "customer_portal_theme", ``},
			{`{"message_overrides": {"de-DE": {"a": null, "c": "C"}}}`, "message_overrides", `{"de-DE": {"b": "B", "c": "C"}, "el-GR": {"a": "Α"}}`},
			{`{"message_overrides": {"el-GR": null}}`, "message_overrides", `{"de-DE": {"b": "B", "c": "C"}}`},
			{`{"message_overrides": null}`, "message_overrides", ``},
			{`{"message_overrides": {"fr-FR": {"a": "A"}}}`, "message_overrides", `{"fr-FR": {"a": "A"}}`},
			{`{}`, "logo_url", `"https://acme.example/l.png"`},
		} {
			f.post(t, "/workspaces/customization_profiles/update", withMembers(t, step.patch, object{"customization_profile_id": id}))
			value, exists := get()[step.field]
			if step.want == "" {
				require.False(t, exists, step.patch)
				continue
			}
			b, err := json.Marshal(value)
			require.NoError(t, err)
			require.JSONEq(t, step.want, string(b), step.patch)
		}
		before := get()
		f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPatch, "/workspaces/customization_profiles/update", `{"customization_profile_id": "`+id+`", "name": "C", "primary_color": "blue"}`)
		require.Equal(t, before, get())
		require.Len(t, list(f.post(t, "/workspaces/customization_profiles/list", `{}`).body["customization_profiles"]), 1)
		f.expectError(t, http.StatusNotFound, "customer_not_found", http.MethodPost, "/workspaces/customization_profiles/list", `{"customer_key": "nobody"}`)
		f.post(t, "/workspaces/customization_profiles/delete", `{"customization_profile_id": "`+id+`"}`)
		require.Empty(t, f.post(t, "/workspaces/customization_profiles/list", `{}`).body["customization_profiles"])
	})
}

// TestSettings_Patch_ChangesOnlyItsMembers also checks the resource names of a business vertical.
func TestSettings_Patch_ChangesOnlyItsMembers(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		get := func() object {
			r := f.send(t, keyA, http.MethodGet, "/seam/customer/v1/settings/get", "")
			return object{"business_vertical": r.body["business_vertical"], "slug": r.body["slug"]}
		}
		require.Equal(t, object{"business_vertical": "neutral", "slug": nil}, get())
		for _, step := range []struct {
			patch    string
			vertical string
			slug     any
		}{
			{`{"business_vertical": "hospitality"}`, "hospitality", nil},
			{`{"slug": "acme"}`, "hospitality", "acme"},
			{`{}`, "hospitality", "acme"},
			{`{"slug": null}`, "hospitality", nil},
			{`{"business_vertical": null, "slug": "a"}`, "neutral", "a"},
		} {
			out := f.send(t, keyA, http.MethodPatch, "/seam/customer/v1/settings/update", step.patch)
			require.Equal(t, http.StatusOK, out.status, out.raw)
			require.Equal(t, object{"business_vertical": step.vertical, "slug": step.slug}, get(), step.patch)
		}
		f.post(t, "/seam/customer/v1/settings/update", `{"business_vertical": "multi_family"}`)
		aliases := f.post(t, "/seam/customer/v1/settings/vertical_resource_aliases/get", ``)
		require.Equal(t, "Lease", aliases.at("vertical_resource_aliases", "access_grant", "resource_label"))
		require.Equal(t, "unit", aliases.at("vertical_resource_aliases", "space", "resource_key"))
	})
}
