package preview

import (
	"context"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
)

// Workspace returns the workspace of a vertical.
func Workspace(db *data.DB, vertical portal.Vertical) *data.Workspace {
	return db.Workspace(WorkspaceID(vertical))
}

// WorkspaceID returns the id of the workspace of a vertical.
func WorkspaceID(vertical portal.Vertical) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("customerportal/preview/"+string(vertical)))
}

// Customer returns the key of the customer in a vertical.
func Customer(vertical portal.Vertical) string { return customerOf[vertical] }

// Automations implements [web.Automations]. It keeps its settings in memory.
type Automations struct {
	mu       sync.Mutex
	settings []web.Setting
}

// NewAutomations returns Automations with a setting of each group.
func NewAutomations() *Automations {
	return &Automations{settings: []web.Setting{
		{Name: "early", Group: web.GroupAccess, Label: "Open before check-in", Text: "How long before the check-in a code works.", Value: "0", Choices: []web.Choice{
			{Value: "0", Label: "Not at all"}, {Value: "30", Label: "30 minutes"}, {Value: "60", Label: "One hour"}}},
		{Name: "eco", Group: web.GroupClimate, Label: "Eco mode between guests", Text: "Heats and cools less while a room is empty.", Value: "true"},
		{Name: "mobile", Group: web.GroupInstantKey, Label: "Send a mobile key", Text: "By email, the day before.", Value: "false"},
	}}
}

// Settings implements [web.Automations].
func (a *Automations) Settings(context.Context, *portal.Session) ([]web.Setting, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.settings), nil
}

// Save implements [web.Automations].
func (a *Automations) Save(_ context.Context, _ *portal.Session, values map[string]string) (map[string]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, s := range a.settings {
		if value, given := values[s.Name]; given {
			a.settings[i].Value = value
		}
	}
	return nil, nil
}
