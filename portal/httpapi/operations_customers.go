package httpapi

import (
	"context"
	"errors"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// customerDataBody returns the body of a push or a sync.
func customerDataBody(into *data.CustomerData) *dataBody {
	return &dataBody{schema: customerDataSchema, read: func(r *strictjson.Reader) error { return strictjson.Decode(r, into) }}
}

// writeOptions are the options that a push and a sync have in common.
type writeOptions struct{ DryRun, Strict, KeepPortalChanges bool }

func (o *writeOptions) params() []jsonobject.Field {
	return []jsonobject.Field{
		bind("dry_run", &o.DryRun, boolParam), bind("strict", &o.Strict, boolParam), bind("keep_portal_changes", &o.KeepPortalChanges, boolParam),
	}
}

type pushRequest struct {
	Data data.CustomerData
	writeOptions
	Replace, SkipInvalid bool
}

func (r *pushRequest) input() input {
	return input{data: customerDataBody(&r.Data), large: true, options: append(r.writeOptions.params(),
		bind("replace", &r.Replace, boolParam), bind("skip_invalid", &r.SkipInvalid, boolParam),
	)}
}

func pushData(ctx context.Context, c *call, r *pushRequest) (jsonObject, error) {
	report, err := c.ws.PushWith(ctx, r.Data, data.PushOptions{
		Replace: r.Replace, Strict: r.Strict, SkipInvalid: r.SkipInvalid, DryRun: r.DryRun, KeepPortalChanges: r.KeepPortalChanges,
	})
	if err != nil {
		return nil, renameFaultPath(err, fieldCustomerData, "") // the body is the customer data
	}
	c.warnings, report.Warnings = report.Warnings, nil
	return jsonObject{"report": report}, nil
}

type syncRequest struct {
	Data data.CustomerData
	writeOptions
	MaxDeletes *int
	All        bool
}

func (r *syncRequest) input() input {
	return input{data: customerDataBody(&r.Data), large: true, options: append(r.writeOptions.params(),
		bind("max_deletes", &r.MaxDeletes, countParam), bind("all", &r.All, boolParam),
	)}
}

func syncData(ctx context.Context, c *call, r *syncRequest) (jsonObject, error) {
	report, err := c.ws.SyncWith(ctx, r.Data, data.SyncOptions{
		Strict: r.Strict, DryRun: r.DryRun, MaxDeletes: r.MaxDeletes, All: r.All, KeepPortalChanges: r.KeepPortalChanges,
	})
	if err != nil {
		return nil, renameFaultPath(err, fieldCustomerData, "") // the body is the customer data
	}
	c.warnings, report.Warnings = report.Warnings, nil
	return jsonObject{"report": report}, nil
}

// selectionRequest selects the customers and resources to delete, in a body or in a query.
type selectionRequest struct{ Selection data.Selection }

func (r *selectionRequest) input() input {
	return input{large: true, data: &dataBody{
		read:   func(reader *strictjson.Reader) error { return strictjson.Decode(reader, &r.Selection) },
		schema: func() schema { return jsonobject.SchemaOf(selectionMembers()) }, queryParams: selectionMembers, optional: true,
	}}
}

// selectionMembers returns the members of a selection. Only their names and schemas are used: a selection in a query is
// converted to JSON and read as a body.
func selectionMembers() []jsonobject.Field {
	keysParam := param[[]string]{schema: func() schema { return arrayOf(keySchema()) }}
	out := []jsonobject.Field{bind("customer_key", nil, keyParam), bind("customer_keys", nil, keysParam)}
	for _, kind := range data.Kinds() {
		out = append(out, bind(kind.KeysField(), nil, keysParam))
	}
	return out
}

// delete deletes the selection, or reports the changes if dryRun is set. member is the name of the report in the response. A
// request without a list of keys selects nothing and is refused. The error also contains the faults of unknown members, because
// one of them may be a misspelled list.
func (r *selectionRequest) delete(ctx context.Context, c *call, member string, dryRun bool) (jsonObject, error) {
	selection := r.Selection
	noLists := selection.CustomerKeys == nil && selection.Resources == nil
	if !noLists && len(selection.CustomerKeys)+len(selection.Resources) == 0 {
		c.notes.Warn("", validation.RuleRequired, "every list of keys is empty, so nothing is selected")
	}
	report, err := c.ws.DeleteWith(ctx, selection, data.DeleteOptions{DryRun: dryRun || noLists, Strict: true})
	if noLists {
		fault := validation.Finding{Rule: validation.RuleRequired, Message: "selects nothing: give customer_keys, or a list of keys such as room_keys"}
		var invalid *validation.Error
		if errors.As(err, &invalid) {
			err = invalidInput(invalid.OmittedFaults, append([]validation.Finding{fault}, invalid.Faults...)...)
		} else if err == nil {
			err = invalidInput(0, fault)
		}
	}
	if err != nil {
		return nil, renameFaultPath(err, "selection", "") // the body is the selection
	}
	c.warnings, report.Warnings = report.Warnings, nil
	return jsonObject{member: report}, nil
}

func deleteData(ctx context.Context, c *call, r *selectionRequest) (jsonObject, error) {
	return r.delete(ctx, c, "report", false)
}

func planDelete(ctx context.Context, c *call, r *selectionRequest) (jsonObject, error) {
	return r.delete(ctx, c, "plan", true)
}

func exportData(ctx context.Context, c *call, r *customerRequest) (jsonObject, error) {
	exported, err := c.ws.Export(ctx, r.CustomerKey)
	if err != nil {
		return nil, err
	}
	return jsonObject{fieldCustomerData: exported}, nil
}

type listCustomersRequest struct {
	Search string
	pageRequest
}

func (r *listCustomersRequest) input() input {
	return input{params: append([]jsonobject.Field{bind("search", &r.Search, textParam)}, r.pageRequest.params()...)}
}

func listCustomers(ctx context.Context, c *call, r *listCustomersRequest) (jsonObject, error) {
	page, err := c.ws.Customers(ctx, data.CustomerQuery{Text: r.Search, Limit: r.Limit, Cursor: r.Cursor})
	if err != nil {
		return nil, err
	}
	c.warnIfStopped(page.Stopped)
	customers := []jsonObject{}
	for _, customer := range page.Items {
		counts := map[string]int{}
		for kind, n := range customer.Counts {
			counts[kind.Collection()] = n
		}
		customers = append(customers, jsonObject{
			"customer_key": customer.Key, "customer_name": nullIfEmpty(customer.Name), "customer_time_zone": nullIfEmpty(customer.TimeZone),
			"workspace_id": c.ws.ID(), "created_at": data.FormatTime(customer.CreatedAt), "counts": counts,
		})
	}
	return jsonObject{"customers": customers, "pagination": c.pagination(page.Next, page.Next != "")}, nil
}

type changesRequest struct{ pageRequest }

func (r *changesRequest) input() input { return input{params: r.pageRequest.params()} }

// listChanges reads a page of the change feed. The response has a cursor even after the last change, from which the client can
// continue later.
func listChanges(ctx context.Context, c *call, r *changesRequest) (jsonObject, error) {
	var cursor data.Cursor
	if err := cursor.UnmarshalText([]byte(r.Cursor)); err != nil {
		return nil, err
	}
	changes, more := []data.FeedChange{}, false
	for change, err := range c.ws.Changes(ctx, cursor) {
		if err != nil {
			return nil, err
		}
		if len(changes) == r.Limit {
			more = true
			break
		}
		changes = append(changes, change)
		cursor = change.Cursor
	}
	next, err := cursor.MarshalText()
	if err != nil {
		return nil, err
	}
	return jsonObject{"changes": changes, "pagination": c.pagination(string(next), more)}, nil
}
