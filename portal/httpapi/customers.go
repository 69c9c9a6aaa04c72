package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/data"
)

// dataFormat is the body of a push or a sync, which is read a token at a time.
var dataFormat = &format{schema: customerDataSchema, large: true, read: func(_ context.Context, c *call) error {
	d, err := c.decode()
	if err != nil {
		return err
	}
	c.params[parsed] = d
	return c.refused()
}}

// decode reads data. A member of it that is an option of the query is a fault, not a warning
// as other unknown members are: without a dry_run or max_deletes that was meant, the request
// would write or delete what it must not.
func (c *call) decode() (data.CustomerData, error) {
	return data.Decode(c.r.Body, data.DecodeOptions{
		MaxBytes: math.MaxInt64, // the body has its own bound, which answers as what it is
		MaxDepth: maxDepth, MaxResources: c.h.o.MaxResources,
		Unknown: func(name string) {
			if slices.ContainsFunc(c.route.options, func(p param) bool { return p.name == name }) {
				c.notes.Fault(name, data.RuleUnknownField, "belongs in the query, as in ?%s=..., not in the body", name)
			}
		},
	})
}

var pushOptions = []param{dryRun, strictOption, {"replace", aFlag, false}, {"skip_invalid", aFlag, false}}

func pushData(ctx context.Context, c *call) (fields, error) {
	report, err := c.ws.PushWith(ctx, of[data.CustomerData](c.params, parsed), data.PushOptions{
		Replace: c.params.flag("replace"), Strict: c.params.flag("strict"),
		SkipInvalid: c.params.flag("skip_invalid"), DryRun: c.params.flag("dry_run"),
	})
	if err != nil {
		return nil, atRoot(err, "customer_data")
	}
	c.found, report.Warnings = report.Warnings, nil
	return fields{"report": report}, nil
}

var syncOptions = []param{dryRun, strictOption, {"max_deletes", aCount, false}}

func syncData(ctx context.Context, c *call) (fields, error) {
	report, err := c.ws.SyncWith(ctx, of[data.CustomerData](c.params, parsed), data.SyncOptions{
		Strict: c.params.flag("strict"), DryRun: c.params.flag("dry_run"), MaxDeletes: of[*int](c.params, "max_deletes"),
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

// selectionFormat names what to delete, in a body or in a query.
var selectionFormat = &format{
	schema: selectionSchema,
	large:  true,
	read: func(_ context.Context, c *call) error {
		b, err := c.slurp()
		if err != nil {
			return err
		}
		return c.readSelection(b)
	},
	query: func(_ context.Context, c *call, query url.Values) error {
		b, err := json.Marshal(membersOf(selectionParams(), query, &c.notes))
		if err != nil {
			return err
		}
		if err := c.refused(); err != nil {
			return err
		}
		return c.readSelection(b)
	},
}

func (c *call) readSelection(b []byte) error {
	var sel data.Selection
	if err := sel.UnmarshalJSON(b); err != nil {
		return err
	}
	if len(sel.CustomerKeys)+len(sel.Resources) == 0 {
		lists, err := givenLists(b)
		if err != nil {
			return err
		}
		c.params[noLists] = !lists
		if lists {
			c.notes.Warn("", data.RuleRequired, "every list of keys is empty, so nothing is selected")
		}
	}
	c.params[parsed] = sel
	return c.refused()
}

// noLists is the parameter that reports whether a selection was given without a list of keys.
const noLists = "(no lists)"

// givenLists reports whether a selection in JSON has a list of keys, be it empty. It returns
// true for a value that is no object, which is a fault of its own.
func givenLists(b []byte) (bool, error) {
	if jsontext.Value(b).Kind() != '{' {
		return true, nil
	}
	given, err := members(b)
	if err != nil {
		return false, err
	}
	for _, p := range selectionParams() {
		if v, there := given[p.name]; there && p.kind.list && v.Kind() != 'n' {
			return true, nil
		}
	}
	return false, nil
}

// selection carries out a delete of what the request selects. A request without a list of
// keys selects nothing, and is refused: together with the faults of the names that are not
// known, among which the one that was meant may be.
func (c *call) selection(ctx context.Context, dryRun bool) (data.DeleteReport, error) {
	report, err := c.ws.DeleteWith(ctx, of[data.Selection](c.params, parsed), data.DeleteOptions{DryRun: dryRun || c.params.flag(noLists), Strict: true})
	if !c.params.flag(noLists) {
		return report, err
	}
	nothing := data.Finding{Rule: data.RuleRequired, Message: "selects nothing: give customer_keys, or a list of keys such as room_keys"}
	var invalidErr *data.InvalidError
	if errors.As(err, &invalidErr) {
		return report, invalid(append([]data.Finding{nothing}, invalidErr.Faults...), invalidErr.OmittedFaults)
	} else if err != nil {
		return report, err
	}
	return report, faulty(nothing)
}

// selectionParams are the lists of keys of a selection, as a query has them.
func selectionParams() []param {
	keys := &paramKind{schema: func() schema { return listOf(keySchema()) }, ofText: asText, list: true}
	out := []param{ofCustomer, {"customer_keys", keys, false}}
	for _, kind := range data.Kinds() {
		out = append(out, param{kind.KeysField(), keys, false})
	}
	return out
}

func deleteData(ctx context.Context, c *call) (fields, error) {
	return selected(c, "report")(c.selection(ctx, false))
}

func planDelete(ctx context.Context, c *call) (fields, error) {
	return selected(c, "plan")(c.selection(ctx, true))
}

func selected(c *call, name string) func(data.DeleteReport, error) (fields, error) {
	return func(report data.DeleteReport, err error) (fields, error) {
		if err != nil {
			return nil, atRoot(err, "selection")
		}
		c.found, report.Warnings = report.Warnings, nil
		return fields{name: report}, nil
	}
}

func exportData(ctx context.Context, c *call) (fields, error) {
	d, err := c.ws.Export(ctx, c.params.text("customer_key"))
	if err != nil {
		return nil, err
	}
	return fields{"customer_data": d}, nil
}

func listCustomers(ctx context.Context, c *call) (fields, error) {
	limit, cursor := c.page()
	page, err := c.ws.Customers(ctx, data.CustomerQuery{Text: c.params.text("search"), Limit: limit, Cursor: cursor})
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

// listChanges reads a page of the change feed. Its cursor is given even after the last
// change: from there the next call goes on.
func listChanges(ctx context.Context, c *call) (fields, error) {
	limit, text := c.page()
	var cursor data.Cursor
	if err := cursor.UnmarshalText([]byte(text)); err != nil {
		return nil, err
	}
	changes, more := []data.FeedChange{}, false
	for change, err := range c.ws.Changes(ctx, cursor) {
		if err != nil {
			return nil, err
		}
		if len(changes) == limit {
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
func under(member string, found []data.Finding) []data.Finding {
	out := make([]data.Finding, len(found))
	for i, f := range found {
		f.Path = below(member, f.Path)
		out[i] = f
	}
	return out
}
