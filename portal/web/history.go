package web

import (
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
)

// historyEntry is a change of an access grant as its page shows it.
type historyEntry struct {
	Change data.Change
	Fields []string // the labels of the changed fields
	At     time.Time
	By     string
}

// historyActors are the texts about who made a change, by the type of the actor, and "this" for
// the portal itself.
var historyActors = map[string]string{
	string(data.ActorHost): "history.by.host", string(data.ActorPortal): "history.by.portal", "this": "history.by.this",
	string(data.ActorAutomation): "history.by.automation", string(data.ActorConnector): "history.by.connector",
}

// historyFields are the labels of the fields of an access grant. The user is not among them,
// since each vertical calls it by another noun.
var historyFields = map[string]string{
	"name": "grantform.name", "starts_at": "column.starts", "ends_at": "column.ends", "preferred_code": "field.code",
	"spaces": "column.spaces", "custom_metadata": "history.details",
}

// historyEntry returns a change as a page shows it, in the zone of the access grant.
func (v *visit) historyEntry(c data.FeedChange, zone *time.Location) historyEntry {
	entry := historyEntry{Change: c.Change, At: c.At.In(zone)}
	actor := string(c.Actor.Type)
	if c.Actor.Type == data.ActorPortal && c.Actor.PortalID == v.session.Portal().ID {
		actor = "this"
	}
	entry.By = v.T(historyActors[actor], "name", c.Actor.Name)
	for _, name := range c.ChangedFields {
		if label := v.historyLabel(name); !slices.Contains(entry.Fields, label) {
			entry.Fields = append(entry.Fields, label)
		}
	}
	return entry
}

// historyLabel returns the label of a field of an access grant. The fields of the user, and
// those of the spaces, each have one label for all kinds.
func (v *visit) historyLabel(field string) string {
	switch {
	case strings.HasSuffix(field, "_keys"):
		field = "spaces"
	case strings.HasSuffix(field, "_key"):
		return v.Guest()
	}
	if key := historyFields[field]; key != "" {
		return v.T(key)
	}
	return v.T(historyFields["custom_metadata"])
}
