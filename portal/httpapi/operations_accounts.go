package httpapi

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/textsearch"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// accountRequest names a connected account.
type accountRequest struct{ ID uuid.UUID }

func (r *accountRequest) input() input {
	return input{params: []jsonobject.Field{required(bind("connected_account_id", &r.ID, idParam))}}
}

// findAccountRequest names a connected account by its id or by the e-mail address of its login.
type findAccountRequest struct {
	ID    uuid.UUID
	Email string
}

func (r *findAccountRequest) input() input {
	return input{params: []jsonobject.Field{bind("connected_account_id", &r.ID, idParam), bind("email", &r.Email, nameParam)}}
}

func getAccount(ctx context.Context, c *call, r *findAccountRequest) (jsonObject, error) {
	switch {
	case (r.ID == uuid.Nil) == (r.Email == ""):
		return nil, invalidInput(0, validation.Finding{Rule: validation.RuleRequired, Message: "give either connected_account_id or email"})
	case r.Email != "":
		page, err := c.scope("").AccountPage(ctx, access.AccountQuery{Limit: 1, Keep: func(a access.Account) bool { return a.Name == r.Email || a.ExternalID == r.Email }})
		if err != nil {
			return nil, err
		}
		if len(page.Items) == 0 {
			return nil, access.ErrAccountNotFound
		}
		return jsonObject{"connected_account": c.accountJSON(page.Items[0])}, nil
	}
	a, err := c.scope("").Account(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return jsonObject{"connected_account": c.accountJSON(a)}, nil
}

type listAccountsRequest struct {
	CustomerKey, Search string
	SpaceID             uuid.UUID
	UserKey             foreignFilter
	Metadata            data.CustomMetadata
	pageRequest
}

func (r *listAccountsRequest) input() input {
	return input{params: append([]jsonobject.Field{
		bind("customer_key", &r.CustomerKey, keyParam), bind("search", &r.Search, textParam), bind("space_id", &r.SpaceID, idParam),
		bind("user_identifier_key", &r.UserKey, foreignTextParam), bind("custom_metadata_has", &r.Metadata, metadataParam),
	}, r.pageRequest.params()...)}
}

func listAccounts(ctx context.Context, c *call, r *listAccountsRequest) (jsonObject, error) {
	search := textsearch.Parse(r.Search)
	selected := func(a access.Account) bool {
		return hasMetadata(a.Metadata, r.Metadata) && matches(search, a.Name, a.ExternalID, a.Provider)
	}
	q := access.AccountQuery{Limit: r.Limit, Cursor: r.Cursor, Keep: selected}
	customer, page := r.CustomerKey, data.Page[access.Account]{}
	var err error
	if r.SpaceID != uuid.Nil {
		of, devices, err := c.devicesOfSpace(ctx, r.SpaceID, customer)
		if err != nil {
			return nil, err
		}
		customer, q.Keep = of, func(a access.Account) bool {
			return selected(a) &&
				slices.ContainsFunc(devices, func(d access.Device) bool { return d.AccountID == a.ID })
		}
	}
	if !c.matchesNothing(r.UserKey) {
		if page, err = c.scope(customer).AccountPage(ctx, q); err != nil {
			return nil, err
		}
	}
	c.warnIfStopped(page.Stopped)
	encoded := []jsonObject{}
	for _, a := range page.Items {
		encoded = append(encoded, c.accountJSON(a))
	}
	return jsonObject{"connected_accounts": encoded, "pagination": c.pagination(page.Next, page.Next != "")}, nil
}

// devicesOfSpace returns the devices that are mapped to a space and the key of its customer. There are no devices if the space
// belongs to another customer than the given one.
func (c *call) devicesOfSpace(ctx context.Context, id uuid.UUID, customer string) (string, []access.Device, error) {
	space, err := c.spaceByID(ctx, id)
	if err != nil || customer != "" && customer != space.Meta.CustomerKey {
		return customer, nil, err
	}
	page, err := c.devices(ctx, space.Meta.CustomerKey, access.DeviceQuery{SpaceKey: space.Key}, 10*maxPage)
	return space.Meta.CustomerKey, page.Items, err
}

func deleteAccount(ctx context.Context, c *call, r *accountRequest) (jsonObject, error) {
	removed, err := c.scope("").DeleteAccount(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return jsonObject{"code_removals": append([]data.CodeRemoval{}, removed...)}, nil
}

// createAccountRequest connects an account without a browser.
type createAccountRequest struct {
	CustomerKey, Provider string
	Settings              map[string]device.Secret
}

func (r *createAccountRequest) input() input {
	return input{params: []jsonobject.Field{
		required(bind("customer_key", &r.CustomerKey, keyParam)), required(bind("provider", &r.Provider, nameParam)),
		bind("settings", &r.Settings, settingsParam),
	}}
}

// createAccount answers the form of a provider with the settings.
func createAccount(ctx context.Context, c *call, r *createAccountRequest) (jsonObject, error) {
	scope := c.scope(r.CustomerKey)
	pane, err := scope.Connect(ctx, access.ConnectStep{Provider: r.Provider})
	if err == nil && pane.Form != nil {
		if faults := unknownSettings(*pane.Form, r.Settings); len(faults) > 0 {
			return nil, invalidInput(0, faults...)
		}
		if form, ok := pane.Form.Check(r.Settings); !ok {
			return nil, settingsFaults(form)
		}
		pane, err = scope.Connect(ctx, access.ConnectStep{Provider: r.Provider, State: pane.State, Answers: r.Settings})
	}
	switch {
	case err != nil:
		return nil, err
	case pane.Redirect != "":
		return nil, invalidInput(0, validation.Finding{
			Path: "provider", Rule: validation.RuleFormat, Message: "has a login of its own, which needs a browser: use connect_webviews/create",
		})
	case pane.Form != nil:
		return nil, settingsFaults(*pane.Form)
	}
	return jsonObject{"connected_account": c.accountJSON(*pane.Account)}, nil
}

// unknownSettings returns the faults of settings that are not fields of a form.
func unknownSettings(form device.Form, settings map[string]device.Secret) (faults []validation.Finding) {
	var names []string
	for _, f := range form.Fields {
		names = append(names, f.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !slices.Contains(names, name) {
			faults = append(faults, validation.Finding{
				Path: "settings." + name, Rule: validation.RuleUnknownField,
				Message: "is not a field of the provider, which has: " + strings.Join(names, ", "),
			})
		}
	}
	return faults
}

// settingsFaults returns the response to settings that the provider did not accept, or that were not enough.
func settingsFaults(form device.Form) error {
	var faults []validation.Finding
	for _, f := range form.Fields {
		if f.Problem != "" {
			faults = append(faults, validation.Finding{Path: "settings." + f.Name, Rule: ruleOf(f.Problem), Message: f.Message})
		}
	}
	if len(faults) == 0 {
		message := form.Message
		if form.Problem == "" {
			message = "are not enough: the provider asks for more, which needs a browser: use connect_webviews/create"
		}
		faults = append(faults, validation.Finding{Path: "settings", Rule: ruleOf(form.Problem), Message: message})
	}
	return invalidInput(0, faults...)
}

func ruleOf(p device.Problem) validation.Rule {
	switch p {
	case device.ProblemMissing:
		return validation.RuleRequired
	}
	return validation.RuleFormat
}

type listProvidersRequest struct{ Category string }

func (r *listProvidersRequest) input() input {
	return input{params: []jsonobject.Field{bind("provider_category", &r.Category, nameParam)}}
}

// listProviders lists the providers of this service. All of them are in the category "stable"; those of locks, thermostats and
// noise sensors are also in the categories with these names.
func listProviders(_ context.Context, c *call, r *listProvidersRequest) (jsonObject, error) {
	out := []jsonObject{}
	for _, info := range c.h.access.Providers() {
		can := device.Device{Capabilities: info.Capabilities}.Can
		categories := providerCategories(info)
		if r.Category != "" && !slices.Contains(categories, r.Category) {
			continue
		}
		provider := jsonObject{"device_provider_name": info.Key, "display_name": info.Name, "image_url": "", "provider_categories": categories}
		for name, v := range flags(can, nil) {
			provider[name] = v
		}
		out = append(out, provider)
	}
	return jsonObject{"device_providers": out}, nil
}

// providerCategories returns the categories of a provider.
func providerCategories(info device.Info) []string {
	can := device.Device{Capabilities: info.Capabilities}.Can
	categories := []string{"stable"}
	for _, category := range []struct {
		name string
		has  bool
	}{
		{"consumer_smartlocks", can(device.CanLock) || can(device.CanUnlock)},
		{"thermostats", can(device.CanSetClimate)},
		{"noise_sensors", can(device.ReportsNoise)},
	} {
		if category.has {
			categories = append(categories, category.name)
		}
	}
	return categories
}
