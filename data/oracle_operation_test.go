package data_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
)

// modelResource is a resource in a push. A field with the JSON value null is nil. Omitted fields are absent.
type modelResource struct {
	kind, key string
	fields    map[string]any
}

func (g modelResource) MarshalJSON() ([]byte, error) {
	m := maps.Clone(g.fields)
	if m == nil {
		m = map[string]any{}
	}
	m[g.kind+"_key"] = g.key
	return json.Marshal(m)
}

// modelOp is an operation.
type modelOp struct {
	Action                               string         // push, sync, delete, undo
	Customer                             string         // of a push or sync; in a delete the customer that the resources must belong to
	CustomerFields                       map[string]any // of a push or sync: the customer's own fields
	Resources                            []modelResource
	Replace, SkipInvalid, Strict, DryRun bool
	MaxDeletes                           *int        // of a sync, or nil
	KeepPortalChanges, All               bool        // KeepPortalChanges; All of a sync
	Keys                                 [][2]string // of a delete or an undo: alias and key
	Customers                            []string    // of a delete
	Sweep                                int         // number of Updates of a sweep after the operation; 5 is a complete sweep
	Actor                                data.Actor
}

func (op modelOp) String() string {
	var flags []string
	for name, set := range map[string]bool{"replace": op.Replace, "skip": op.SkipInvalid, "strict": op.Strict, "dry": op.DryRun, "keep": op.KeepPortalChanges, "all": op.All} {
		if set {
			flags = append(flags, name)
		}
	}
	if op.MaxDeletes != nil {
		flags = append(flags, fmt.Sprint("at most ", *op.MaxDeletes, " deletes"))
	}
	if op.Actor != (data.Actor{}) {
		flags = append(flags, "by "+actorText(op.Actor))
	}
	if op.Sweep > 0 {
		flags = append(flags, fmt.Sprint("sweep ", op.Sweep))
	}
	slices.Sort(flags)
	if op.Action == "delete" || op.Action == "undo" {
		return fmt.Sprintf(op.Action+" %v %v within %q %v", op.Customers, op.Keys, op.Customer, flags)
	}
	return fmt.Sprintf("%s %v %s", op.Action, flags, op.wire())
}

// actorText returns an actor as a text for the lines of the feed.
func actorText(a data.Actor) string {
	switch a.Type {
	case "":
		return "host"
	case data.ActorPortal:
		return "portal " + a.PortalID.String()
	}
	return strings.TrimSpace(string(a.Type) + " " + a.Name)
}

// changedNames returns the names of the fields that differ.
func changedNames(before, after map[string]any) string {
	names := map[string]bool{}
	for _, fields := range []map[string]any{before, after} {
		for name := range fields {
			if !reflect.DeepEqual(before[name], after[name]) {
				names[name] = true
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), ",")
}

// wire returns the JSON object of a push.
func (op modelOp) wire() string {
	object := map[string]any{"customer_key": op.Customer}
	maps.Copy(object, op.CustomerFields)
	for _, g := range op.Resources {
		name := oracleCollections[g.kind]
		list, _ := object[name].([]modelResource)
		object[name] = append(list, g)
	}
	b, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// by returns the actor with its type.
func (op modelOp) by() data.Actor {
	if op.Actor.Type == "" {
		op.Actor.Type = data.ActorHost
	}
	return op.Actor
}

func (op modelOp) byHost() bool { return op.by().Type == data.ActorHost }

func (op modelOp) byPortal() bool { return op.by().Type == data.ActorPortal }

// paths returns the path of each resource.
func (op modelOp) paths() []string {
	next := map[string]int{}
	out := make([]string, len(op.Resources))
	for i, g := range op.Resources {
		collection := oracleCollections[g.kind]
		out[i] = fmt.Sprintf("%s[%d]", collection, next[collection])
		next[collection]++
	}
	return out
}
