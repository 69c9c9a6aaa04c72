package httpapi

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textsearch"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
)

// createWebviewRequest describes a connect webview.
type createWebviewRequest struct {
	portal.WebviewRequest
	Category string
	Manage   *bool
}

func (r *createWebviewRequest) input() input {
	return input{params: []jsonobject.Field{
		required(bind("customer_key", &r.CustomerKey, keyParam)),
		bind("accepted_providers", &r.AcceptedProviders, textsParam), bind("excluded_providers", &r.ExcludedProviders, textsParam),
		bind("accepted_capabilities", &r.AcceptedCapabilities, textsParam), bind("provider_category", &r.Category, nameParam),
		bind("custom_redirect_url", &r.RedirectURL, nameParam), bind("custom_redirect_failure_url", &r.FailureURL, nameParam),
		bind("custom_metadata", &r.CustomMetadata, metadataParam),
		bind("automatically_manage_new_devices", &r.Manage, optionalBoolParam), bind("wait_for_device_creation", &r.WaitForDeviceCreation, boolParam),
	}}
}

func createWebview(ctx context.Context, c *call, r *createWebviewRequest) (jsonObject, error) {
	req := r.WebviewRequest
	req.AutomaticallyManageNewDevices = r.Manage == nil || *r.Manage
	if r.Category != "" && req.AcceptedProviders == nil {
		req.AcceptedProviders = []string{}
		for _, info := range c.h.access.Providers() {
			if slices.Contains(providerCategories(info), r.Category) {
				req.AcceptedProviders = append(req.AcceptedProviders, info.Key)
			}
		}
	}
	w, err := c.h.options.Portals.CreateWebview(ctx, c.ws, req)
	if err != nil {
		return nil, err
	}
	return jsonObject{"connect_webview": webviewJSON(w)}, nil
}

// webviewRequest names a connect webview.
type webviewRequest struct{ ID uuid.UUID }

func (r *webviewRequest) input() input {
	return input{params: []jsonobject.Field{required(bind("connect_webview_id", &r.ID, idParam))}}
}

func getWebview(ctx context.Context, c *call, r *webviewRequest) (jsonObject, error) {
	w, err := c.h.options.Portals.Webview(ctx, c.ws, r.ID)
	if errors.Is(err, portal.ErrNotFound) {
		return nil, notFound("connect_webview")
	}
	if err != nil {
		return nil, err
	}
	return jsonObject{"connect_webview": webviewJSON(w)}, nil
}

func deleteWebview(ctx context.Context, c *call, r *webviewRequest) (jsonObject, error) {
	err := c.h.options.Portals.DeleteWebview(ctx, c.ws, r.ID)
	if errors.Is(err, portal.ErrNotFound) {
		return nil, notFound("connect_webview")
	}
	return nil, err
}

type listWebviewsRequest struct {
	CustomerKey, Search string
	Metadata            data.CustomMetadata
	UserKey             foreignFilter
	pageRequest
}

func (r *listWebviewsRequest) input() input {
	return input{params: append([]jsonobject.Field{
		bind("customer_key", &r.CustomerKey, keyParam), bind("search", &r.Search, textParam),
		bind("custom_metadata_has", &r.Metadata, metadataParam), bind("user_identifier_key", &r.UserKey, foreignTextParam),
	}, r.pageRequest.params()...)}
}

func listWebviews(ctx context.Context, c *call, r *listWebviewsRequest) (jsonObject, error) {
	cursor, err := base64.RawURLEncoding.DecodeString(r.Cursor)
	if err != nil {
		return nil, data.ErrInvalidCursor
	}
	search, page := textsearch.Parse(r.Search), data.Page[portal.Webview]{}
	if !c.matchesNothing(r.UserKey) {
		page, err = c.h.options.Portals.Webviews(ctx, c.ws, portal.WebviewQuery{
			CustomerKey: r.CustomerKey, Limit: r.Limit, Cursor: string(cursor),
			Keep: func(w portal.Webview) bool {
				for key, want := range r.Metadata {
					if w.CustomMetadata[key] != want {
						return false
					}
				}
				return matches(search, slices.Concat([]string{w.ID.String(), w.Provider, w.CustomerKey}, w.AcceptedProviders)...)
			},
		})
		if err != nil {
			return nil, err
		}
	}
	c.warnIfStopped(page.Stopped)
	encoded := lo.Map(page.Items, func(w portal.Webview, _ int) jsonObject { return webviewJSON(w) })
	return jsonObject{"connect_webviews": encoded, "pagination": c.pagination(base64.RawURLEncoding.EncodeToString([]byte(page.Next)), page.Next != "")}, nil
}

// webviewJSON returns the API's connect_webview.
func webviewJSON(w portal.Webview) jsonObject {
	out := jsonObject{
		"connect_webview_id": w.ID, "workspace_id": w.WorkspaceID, "customer_key": w.CustomerKey, "created_at": data.FormatTime(w.CreatedAt),
		"url": w.URL.Reveal(), "status": w.Status, "login_successful": w.Status == portal.WebviewAuthorized, "device_selection_mode": "none",
		"accepted_providers": append([]string{}, w.AcceptedProviders...), "accepted_capabilities": append([]string{}, w.AcceptedCapabilities...),
		"any_provider_allowed": w.AcceptedProviders == nil, "custom_redirect_url": nilIfZero(w.RedirectURL), "custom_redirect_failure_url": nilIfZero(w.FailureURL),
		"custom_metadata": jsonObject{}, "automatically_manage_new_devices": w.AutomaticallyManageNewDevices, "wait_for_device_creation": w.WaitForDeviceCreation,
		"connected_account_id": nil, "authorized_at": nil, "selected_provider": nilIfZero(w.Provider),
	}
	maps.Copy(out["custom_metadata"].(jsonObject), w.CustomMetadata)
	if w.Status == portal.WebviewAuthorized {
		out["connected_account_id"], out["authorized_at"] = w.AccountID, data.FormatTime(w.AuthorizedAt)
	}
	return out
}
