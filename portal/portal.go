package portal

import (
	"encoding/json"
	"html"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/validation"
)

// State is what a portal is at the moment.
type State string

// The states. A portal that is used up opens no new session; those that it has go on.
const (
	StateLive    State = "live"
	StateUsedUp  State = "used_up"
	StateExpired State = "expired"
	StateRevoked State = "revoked"
)

// CustomerPortal is a portal of a customer. As JSON it is the API's object, with
// the URL in it.
type CustomerPortal struct {
	ID          uuid.UUID // customer_portal_id; not part of the JSON, as all after URL
	WorkspaceID uuid.UUID
	CustomerKey string
	CreatedAt   time.Time // UTC, whole microseconds
	ExpiresAt   time.Time // the same; from then on the portal is closed

	// URL opens the portal. It is there only where the portal was made or is to be
	// opened, by Create, CreateDeepLink and Open: the store does not hold it.
	URL Secret

	// CustomerName and CustomerTimeZone are the customer's own, as [data.Customer] has
	// them; empty if the host has given none.
	CustomerName     string
	CustomerTimeZone string

	Config  Config
	State   State
	MaxUses int // how often the link begins a session; zero is any number
	Uses    int // how often it has; counted where MaxUses is not zero

	Push     data.PushReport      // what the push of CreateRequest.CustomerData did
	Warnings []validation.Finding // what Create could not use of the configuration
}

// MarshalJSON writes the API's object: five fields, the URL as it is.
func (p CustomerPortal) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		CreatedAt   string    `json:"created_at"`
		CustomerKey string    `json:"customer_key"`
		ExpiresAt   string    `json:"expires_at"`
		URL         string    `json:"url"`
		WorkspaceID uuid.UUID `json:"workspace_id"`
	}{data.FormatTime(p.CreatedAt), p.CustomerKey, data.FormatTime(p.ExpiresAt), p.URL.Reveal(), p.WorkspaceID})
}

// LogValue keeps the URL out of slog, whose JSON would show it. A value that holds a
// CustomerPortal shows it all the same where it is logged or written as JSON.
func (p CustomerPortal) LogValue() slog.Value {
	return slog.GroupValue(slog.String("customer_portal_id", p.ID.String()),
		slog.String("customer_key", p.CustomerKey), slog.Time("expires_at", p.ExpiresAt))
}

// Code returns the code of a link, given as its URL or as the code itself. It drops a
// query and a fragment, and punctuation, symbols and space after the code: mail programs
// often make the full stop, bracket or quote after a URL part of it. Code checks nothing;
// see [Service.Verify].
func Code(link string) string {
	if i := strings.IndexAny(link, "?#"); i >= 0 {
		link = link[:i]
	}
	link = strings.TrimRightFunc(html.UnescapeString(link), func(r rune) bool {
		return unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)
	})
	return link[strings.LastIndexByte(link, '/')+1:]
}

// public is the portal with its configuration.
func (r *record) describe(of data.Customer, c Config) CustomerPortal {
	c.notes, c.NavigationMode = form.Notes{}, c.navigation()
	return CustomerPortal{
		ID: r.id, WorkspaceID: r.workspace, CustomerKey: of.Key, CustomerName: of.Name, CustomerTimeZone: of.TimeZone,
		CreatedAt: r.createdAt, ExpiresAt: r.expiresAt, Config: c, MaxUses: int(r.maxUses),
	}
}
