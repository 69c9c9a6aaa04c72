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
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// State is the state of a portal at the time at which it is read.
type State string

// The states of a portal. A link that is used up begins new sessions only for holders that have used it, and its sessions
// continue.
const (
	StateLive    State = "live"
	StateUsedUp  State = "used_up"
	StateExpired State = "expired"
	StateRevoked State = "revoked"
)

// CustomerPortal is a portal of a customer. Its JSON contains the URL.
type CustomerPortal struct {
	ID          uuid.UUID // customer_portal_id in the API, but not in the JSON of a CustomerPortal
	WorkspaceID uuid.UUID
	CustomerKey string
	CreatedAt   time.Time // UTC, whole microseconds
	ExpiresAt   time.Time // UTC, whole microseconds; the portal is closed from this time on

	// URL is the link that opens the portal. Only Create, CreateDeepLink, CreateGuestLink and Open set it. It is not stored.
	URL Secret

	// CustomerName and CustomerTimeZone are the Name and the TimeZone of the [data.Customer]. They may be empty.
	CustomerName     string
	CustomerTimeZone string

	Config  Config
	State   State
	MaxUses int // see CreateRequest.MaxUses; zero means no limit
	Uses    int // the number of uses so far; counted only if MaxUses is not zero

	Push     data.PushReport      // the report of the push of CreateRequest.CustomerData; only Create sets it
	Warnings []validation.Finding // the parts of the configuration that Create or UpdateConfig ignored, such as unknown fields
}

// MarshalJSON returns the API's object with the fields created_at, customer_key, expires_at, url and workspace_id. It reveals
// the URL.
func (p CustomerPortal) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		CreatedAt   string    `json:"created_at"`
		CustomerKey string    `json:"customer_key"`
		ExpiresAt   string    `json:"expires_at"`
		URL         string    `json:"url"`
		WorkspaceID uuid.UUID `json:"workspace_id"`
	}{data.FormatTime(p.CreatedAt), p.CustomerKey, data.FormatTime(p.ExpiresAt), p.URL.Reveal(), p.WorkspaceID})
}

// LogValue implements [slog.LogValuer]. It returns the id, the customer's key and the expiry, but not the URL. Package slog
// does not call LogValue for a CustomerPortal inside another value, such as a slice: a slog.JSONHandler then writes the URL.
func (p CustomerPortal) LogValue() slog.Value {
	return slog.GroupValue(slog.String("customer_portal_id", p.ID.String()),
		slog.String("customer_key", p.CustomerKey), slog.Time("expires_at", p.ExpiresAt))
}

// Code returns the code of a link. link is the URL of the link or the code itself. Code removes the query, the fragment, and
// the punctuation, symbols and spaces after the code, since mail programs often include a full stop, bracket or quotation mark
// in a URL. It does not verify the code; see [Service.Verify].
func Code(link string) string {
	if i := strings.IndexAny(link, "?#"); i >= 0 {
		link = link[:i]
	}
	link = strings.TrimRightFunc(html.UnescapeString(link), func(r rune) bool {
		return unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)
	})
	return link[strings.LastIndexByte(link, '/')+1:]
}

// describe returns the portal of a record, given its customer and its configuration. The State, the Uses and the URL are not set.
func (r *record) describe(customer data.Customer, c Config) CustomerPortal {
	c.notes, c.NavigationMode, c.webview, c.guest = jsonobject.Notes{}, c.navigation(), r.webview != nil, r.guest != nil
	return CustomerPortal{
		ID: r.id, WorkspaceID: r.workspace, CustomerKey: customer.Key, CustomerName: customer.Name, CustomerTimeZone: customer.TimeZone,
		CreatedAt: r.createdAt, ExpiresAt: r.expiresAt, Config: c, MaxUses: int(r.maxUses),
	}
}
