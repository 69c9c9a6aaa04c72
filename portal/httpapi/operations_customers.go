package httpapi

import (
	"context"
	"errors"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/validation"
)

// pushedData is the body of a push or a sync.
func pushedData(into *data.CustomerData) *dataBody {
	return &dataBody{schema: customerDataSchema, read: func(r *strictjson.Reader) error { return strictjson.Decode(r, into) }}
}

type pushRequest struct {
	Data                                 data.CustomerData
	DryRun, Strict, Replace, SkipInvalid bool
	KeepPortalChanges                    bool
}

func (r *pushRequest) input() input {
	return input{data: pushedData(&r.Data), large: true, options: []form.Field{
		bind("dry_run", &r.DryRun, aFlag), bind("strict", &r.Strict, aFlag), bind("replace", &r.Replace, aFlag), bind("skip_invalid", &r.SkipInvalid, aFlag),
		bind("keep_portal_changes", &r.KeepPortalChanges, aFlag),
	}}
}

func pushData(ctx context.Context, c *call, r *pushRequest) (fields, error) {
	report, err := c.ws.PushWith(ctx, r.Data, data.PushOptions{
		Replace: r.Replace, Strict: r.Strict, SkipInvalid: r.SkipInvalid, DryRun: r.DryRun, KeepPortalChanges: r.KeepPortalChanges,
	})
	if err != nil {
		return nil, atRoot(err, "customer_data")
	}
	c.found, report.Warnings = report.Warnings, nil
	return fields{"report": report}, nil
}

type syncRequest struct {
	Data           data.CustomerData
	DryRun, Strict bool
	MaxDeletes     *int

	All, KeepPortalChanges bool
}

func (r *syncRequest) input() input {
	return input{data: pushedData(&r.Data), large: true, options: []form.Field{
		bind("dry_run", &r.DryRun, aFlag), bind("strict", &r.Strict, aFlag), bind("max_deletes", &r.MaxDeletes, aCount),
		bind("all", &r.All, aFlag), bind("keep_portal_changes", &r.KeepPortalChanges, aFlag),
	}}
}

func syncData(ctx context.Context, c *call, r *syncRequest) (fields, error) {
	report, err := c.ws.SyncWith(ctx, r.Data, data.SyncOptions{
		Strict: r.Strict, DryRun: r.DryRun, MaxDeletes: r.MaxDeletes, All: r.All, KeepPortalChanges: r.KeepPortalChanges,
	})
	if err != nil {
		return nil, atRoot(err, "customer_data")
	}
	c.found, report.Warnings = report.Warnings, nil
	return fields{"report": report}, nil
}

// atRoot returns an error whose faults of the body as a whole have no path.
func atRoot(err error, name string) error {
	return repath(err, func(path string) string {
		if path == name {
			return ""
		}
		return path
	})
}

// selectionRequest names what to delete, in a body or in a query.
type selectionRequest struct{ Selection data.Selection }

func (r *selectionRequest) input() input {
	return input{large: true, data: &dataBody{
		read:   func(reader *strictjson.Reader) error { return strictjson.Decode(reader, &r.Selection) },
		schema: func() schema { return form.SchemaOf(selectionMembers()) }, query: selectionMembers, orNothing: true,
	}}
}

// selectionMembers are the members of a selection. Only their names and schemas are used: a
// selection in a query is read as the JSON that it stands for.
func selectionMembers() []form.Field {
	aList := kind[[]string]{schema: func() schema { return listOf(keySchema()) }}
	out := []form.Field{bind("customer_key", nil, aKey), bind("customer_keys", nil, aList)}
	for _, of := range data.Kinds() {
		out = append(out, bind(of.KeysField(), nil, aList))
	}
	return out
}

// delete deletes the selection. A request without a list of keys selects nothing and is
// refused, together with the faults of unknown names: the one that was meant may be among them.
func (r *selectionRequest) delete(ctx context.Context, c *call, name string, dryRun bool) (fields, error) {
	sel := r.Selection
	noLists := sel.CustomerKeys == nil && sel.Resources == nil
	if !noLists && len(sel.CustomerKeys)+len(sel.Resources) == 0 {
		c.notes.Warn("", validation.RuleRequired, "every list of keys is empty, so nothing is selected")
	}
	report, err := c.ws.DeleteWith(ctx, sel, data.DeleteOptions{DryRun: dryRun || noLists, Strict: true})
	if noLists {
		nothing := validation.Finding{Rule: validation.RuleRequired, Message: "selects nothing: give customer_keys, or a list of keys such as room_keys"}
		var invalidErr *validation.Error
		if errors.As(err, &invalidErr) {
			err = invalid(append([]validation.Finding{nothing}, invalidErr.Faults...), invalidErr.OmittedFaults)
		} else if err == nil {
			err = faulty(nothing)
		}
	}
	if err != nil {
		return nil, atRoot(err, "selection")
	}
	c.found, report.Warnings = report.Warnings, nil
	return fields{name: report}, nil
}

func deleteData(ctx context.Context, c *call, r *selectionRequest) (fields, error) {
	return r.delete(ctx, c, "report", false)
}

func planDelete(ctx context.Context, c *call, r *selectionRequest) (fields, error) {
	return r.delete(ctx, c, "plan", true)
}

func exportData(ctx context.Context, c *call, r *customerRequest) (fields, error) {
	d, err := c.ws.Export(ctx, r.CustomerKey)
	if err != nil {
		return nil, err
	}
	return fields{"customer_data": d}, nil
}

type listCustomersRequest struct {
	Search string
	pageRequest
}

func (r *listCustomersRequest) input() input {
	return input{params: append([]form.Field{bind("search", &r.Search, aText)}, r.pageRequest.fields()...)}
}

func listCustomers(ctx context.Context, c *call, r *listCustomersRequest) (fields, error) {
	page, err := c.ws.Customers(ctx, data.CustomerQuery{Text: r.Search, Limit: r.Limit, Cursor: r.Cursor})
	if err != nil {
		return nil, err
	}
	c.stopped(page.Stopped)
	customers := []fields{}
	for _, customer := range page.Items {
		counts := map[string]int{}
		for kind, n := range customer.Counts {
			counts[kind.Collection()] = n
		}
		customers = append(customers, fields{
			"customer_key": customer.Key, "customer_name": orNull(customer.Name), "customer_time_zone": orNull(customer.TimeZone),
			"workspace_id": c.ws.ID(), "created_at": data.FormatTime(customer.CreatedAt), "counts": counts,
		})
	}
	return fields{"customers": customers, "pagination": c.pagination(page.Next, page.Next != "")}, nil
}

type changesRequest struct{ pageRequest }

func (r *changesRequest) input() input { return input{params: r.pageRequest.fields()} }

// listChanges reads a page of the change feed. It returns a cursor even after the last change:
// the next call continues from there.
func listChanges(ctx context.Context, c *call, r *changesRequest) (fields, error) {
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
	return fields{"changes": changes, "pagination": c.pagination(string(next), more)}, nil
}

// below returns the path in a request for a path inside one of its members.
func below(member, path string) string { return strings.TrimSuffix(member+"."+path, ".") }

// under puts warnings under the path that they have in a request.
func under(member string, found []validation.Finding) []validation.Finding {
	out := make([]validation.Finding, len(found))
	for i, f := range found {
		f.Path = below(member, f.Path)
		out[i] = f
	}
	return out
}
