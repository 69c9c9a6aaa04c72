package httpapi

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
)

// automationsRequest names a customer, or the workspace if there is no customer_key.
type automationsRequest struct{ CustomerKey string }

func (r *automationsRequest) input() input {
	return input{params: []jsonobject.Field{bind("customer_key", &r.CustomerKey, keyParam)}}
}

// getAutomations returns the rules that are in force for a customer or the workspace.
func getAutomations(ctx context.Context, c *call, r *automationsRequest) (jsonObject, error) {
	_, rules, err := c.scope(r.CustomerKey).Rules(ctx)
	if err != nil {
		return nil, err
	}
	return rulesJSON(rules), nil
}

// getCustomerAutomations is like getAutomations for a customer.
func getCustomerAutomations(ctx context.Context, c *call, r *customerRequest) (jsonObject, error) {
	rules, err := getAutomations(ctx, c, &automationsRequest{r.CustomerKey})
	if err != nil {
		return nil, err
	}
	return jsonObject{"automation": rules}, nil
}

// deleteAutomations deletes the rules of a customer, for which those of the workspace apply then, or those of the workspace, for which the
// defaults apply then.
func deleteAutomations(ctx context.Context, c *call, r *automationsRequest) (jsonObject, error) {
	return nil, c.scope(r.CustomerKey).SetRules(ctx, access.Rules{})
}

// updateAutomationsRequest changes the rules of a customer or of the workspace.
type updateAutomationsRequest struct {
	CustomerKey     string
	Access, Climate rulesPatch
}

func (r *updateAutomationsRequest) input() input {
	return input{params: []jsonobject.Field{
		bind("customer_key", &r.CustomerKey, keyParam), bind("access_rules", &r.Access, accessRulesParam), bind("climate_rules", &r.Climate, climateRulesParam),
	}}
}

// updateAutomations changes the given rules. A rule that is null is off, and a number that is null has its default.
func updateAutomations(ctx context.Context, c *call, r *updateAutomationsRequest) (jsonObject, error) {
	err := c.scope(r.CustomerKey).ChangeRules(ctx, func(own access.Rules) access.Rules {
		for _, change := range append(r.Access, r.Climate...) {
			change(&own)
		}
		return own
	})
	if err != nil {
		return nil, mapFaultPaths(err, func(path string) string { return rulePaths[path] })
	}
	return nil, nil
}

// updateCustomerAutomationsRequest is like updateAutomationsRequest, for a customer.
type updateCustomerAutomationsRequest struct{ updateAutomationsRequest }

func (r *updateCustomerAutomationsRequest) input() input {
	in := r.updateAutomationsRequest.input()
	in.params[0] = required(in.params[0])
	return in
}

func updateCustomerAutomations(ctx context.Context, c *call, r *updateCustomerAutomationsRequest) (jsonObject, error) {
	return updateAutomations(ctx, c, &r.updateAutomationsRequest)
}

// listRunsRequest selects automation runs of a customer.
type listRunsRequest struct {
	CustomerKey   string
	AutomationID  foreignFilter
	CreatedBefore time.Time
	ResourceID    uuid.UUID
	Rule          string
	Success       *bool
	pageRequest
}

func (r *listRunsRequest) input() input {
	return input{params: append([]jsonobject.Field{
		required(bind("customer_key", &r.CustomerKey, keyParam)), bind("automation_id", &r.AutomationID, foreignIDParam),
		bind("created_before", &r.CreatedBefore, timeParam), bind("partner_resource_id", &r.ResourceID, idParam),
		bind("rule", &r.Rule, runRuleParam), bind("success", &r.Success, optionalBoolParam),
	}, r.pageRequest.params()...)}
}

var runRuleParam = wordParam(
	access.RunCodesCreated, access.RunTimesChanged, access.RunDoorsChanged, access.RunStaffCreated, access.RunOccupied, access.RunUnoccupied,
	"reservation_deleted", "space_name_updated",
)

// listRuns lists automation runs, the newest first.
func listRuns(ctx context.Context, c *call, r *listRunsRequest) (jsonObject, error) {
	page, out := data.Page[access.AutomationRun]{}, []jsonObject{}
	nothing := c.matchesNothing(r.AutomationID)
	err := c.ws.View(ctx, func(snap *data.Snapshot) error {
		page, out = data.Page[access.AutomationRun]{}, []jsonObject{}
		var of data.Ref
		if r.ResourceID != uuid.Nil {
			resource, err := runSubject(ctx, snap, r.ResourceID)
			if err != nil {
				return err
			}
			of = resource
		}
		q := access.RunQuery{Limit: r.Limit, Cursor: r.Cursor, Keep: func(run access.AutomationRun) bool {
			return (r.CreatedBefore.IsZero() || run.OccurredAt.Before(r.CreatedBefore)) && (r.ResourceID == uuid.Nil || run.Subject == of) &&
				(r.Rule == "" || run.Rule == access.RunRule(r.Rule)) && (r.Success == nil || run.Success == *r.Success)
		}}
		if nothing {
			return nil
		}
		var err error
		if page, err = c.scope(r.CustomerKey).At(snap).AutomationRuns(ctx, q); err != nil {
			return err
		}
		out, err = c.encodeRuns(ctx, snap, r.CustomerKey, page.Items)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.warnIfStopped(page.Stopped)
	return jsonObject{"automation_runs": out, "pagination": c.pagination(page.Next, page.Next != "")}, nil
}

// runSubject returns the reference by class to the access grant or the staff member of an id. It is zero if there is no such resource.
func runSubject(ctx context.Context, snap *data.Snapshot, id uuid.UUID) (ref data.Ref, err error) {
	g, err := snap.AccessGrantByID(ctx, id)
	if err == nil {
		return data.Ref{Kind: data.KindAccessGrant, Key: g.Key}, nil
	}
	if errors.Is(err, data.ErrResourceNotFound) {
		var u data.UserIdentity
		if u, err = snap.UserIdentityByID(ctx, id); err == nil {
			return data.Ref{Kind: data.KindUserIdentity, Key: u.Key}, nil
		}
	}
	if errors.Is(err, data.ErrResourceNotFound) {
		err = nil
	}
	return data.Ref{}, err
}

// encodeRuns converts automation runs of a customer to JSON.
func (c *call) encodeRuns(ctx context.Context, snap *data.Snapshot, customer string, runs []access.AutomationRun) ([]jsonObject, error) {
	out := []jsonObject{}
	if len(runs) == 0 {
		return out, nil
	}
	refs := lo.Uniq(lo.Map(runs, func(run access.AutomationRun, _ int) data.Ref { return run.Subject }))
	found, err := snap.Resources(ctx, customer, refs)
	if err != nil {
		return nil, err
	}
	subjects := map[data.Ref]data.Resource{}
	for i, r := range found {
		subjects[refs[i]] = r
	}
	for _, run := range runs {
		id, err := hex.DecodeString(run.ID)
		if err != nil {
			return nil, err
		}
		o := jsonObject{
			"automation_run_id": uuid.UUID(id), "workspace_id": c.ws.ID(), "customer_key": customer, "automation_id": nil, "created_at": data.FormatTime(run.OccurredAt),
			"partner_key": run.Subject.Key, "partner_resource_id": nil, "resource_type": run.Subject.Kind.Class(), "resource_type_alias": nil,
		}
		var grant uuid.UUID
		switch r := subjects[run.Subject].(type) {
		case data.AccessGrant:
			grant = r.Meta.ID
			o["partner_resource_id"], o["resource_type_alias"] = r.Meta.ID, r.Kind
		case data.UserIdentity:
			o["partner_resource_id"], o["resource_type_alias"] = r.Meta.ID, r.Kind
		}
		result := runResult(run, grant)
		o["automation_result"] = result
		out = append(out, o)
	}
	return out, nil
}

// runResult returns the result of a run. grant is the id of its access grant, or zero if it does not exist: then there are no actions,
// because the API requires the id.
func runResult(run access.AutomationRun, grant uuid.UUID) jsonObject {
	actions := []jsonObject{}
	for _, a := range []struct {
		name  string
		count int
	}{{"create", run.Created}, {"update", run.Updated}, {"delete", run.Deleted}} {
		if a.count > 0 && grant != uuid.Nil {
			actions = append(actions, jsonObject{"action_type": a.name, "resource_type": "access_code", "access_grant_id": grant, "count": a.count})
		}
	}
	out := jsonObject{"success": run.Success, "rule": run.Rule, "actions": actions}
	if run.Error != "" {
		out["error"], out["message"] = "automation_failed", run.Error
	}
	return out
}

// addLastRuns adds the results of the last automation runs to the JSON of reservations.
func addLastRuns(ctx context.Context, c *call, snap *data.Snapshot, items []data.AccessGrant, encoded []jsonObject) error {
	if c.h.access == nil {
		return nil
	}
	refs := map[string][]data.Ref{} // by customer
	for i, g := range items {
		if g.Kind == data.KindReservation {
			encoded[i]["last_automation_result"] = nil
			refs[g.Meta.CustomerKey] = append(refs[g.Meta.CustomerKey], g.Ref())
		}
	}
	for customer, of := range refs {
		last, err := c.scope(customer).At(snap).LastRuns(ctx, of...)
		if err != nil {
			return err
		}
		for i, g := range items {
			if run, known := last[data.Ref{Kind: data.KindAccessGrant, Key: g.Key}]; known && g.Meta.CustomerKey == customer && g.Kind == data.KindReservation {
				result := runResult(run, g.Meta.ID)
				result["created_at"] = data.FormatTime(run.OccurredAt)
				encoded[i]["last_automation_result"] = result
			}
		}
	}
	return nil
}
