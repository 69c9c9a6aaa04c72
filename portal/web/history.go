package web

import (
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
)

// historyEntry is a change of an access grant, as its page shows it.
type historyEntry struct {
	Change data.Change
	Fields []string // labels of the changed fields
	At     time.Time
	By     string
}

// historyActors are the catalog keys of the texts that name the actor of a change, by the type of the actor. "this"
// stands for the open portal.
var historyActors = map[string]string{
	string(data.ActorHost): "history.by.host", string(data.ActorPortal): "history.by.portal", "this": "history.by.this",
	string(data.ActorAutomation): "history.by.automation", string(data.ActorConnector): "history.by.connector",
}

// historyFields are the catalog keys of the labels of an access grant's fields. The user has none, because each vertical
// has another noun for it.
var historyFields = map[string]string{
	"name": "grantform.name", "starts_at": "column.starts", "ends_at": "column.ends", "preferred_code": "field.code",
	"spaces": "column.spaces", "custom_metadata": "history.details",
}

// historyEntry returns a change with its time in the zone of the access grant.
func (x *exchange) historyEntry(c data.FeedChange, zone *time.Location) historyEntry {
	entry := historyEntry{Change: c.Change, At: c.At.In(zone)}
	entry.By = x.actorName(c.Actor)
	for _, name := range c.ChangedFields {
		if label := x.historyLabel(name); !slices.Contains(entry.Fields, label) {
			entry.Fields = append(entry.Fields, label)
		}
	}
	return entry
}

// actorName returns the text that says who made a change or sent a command.
func (x *exchange) actorName(a data.Actor) string {
	actor := string(a.Type)
	if a.Type == data.ActorPortal && a.PortalID == x.session.Portal().ID {
		actor = "this"
	}
	return x.text(historyActors[actor], "name", a.Name)
}

// historyLabel returns the label of a field of an access grant. The references to the user have one label for all kinds,
// and so have those to spaces.
func (x *exchange) historyLabel(field string) string {
	switch {
	case strings.HasSuffix(field, "_keys"):
		field = "spaces"
	case strings.HasSuffix(field, "_key"):
		return x.text("noun." + x.nouns().guest)
	}
	if key := historyFields[field]; key != "" {
		return x.text(key)
	}
	return x.text(historyFields["custom_metadata"])
}
