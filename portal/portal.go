package portal

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal/link"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// Options configures a Service. BaseURL and Keys are required; the rest may be zero.
type Options struct {
	// BaseURL is what comes before the code of every link: an absolute http or https
	// URL with no query, such as "https://se.am" or "https://example.com/portal".
	BaseURL string

	Keys *keys.Ring // sign and verify the links

	TTL    time.Duration // of a portal whose request names none, at least 1 second; default 24 hours
	MaxTTL time.Duration // that a request may name; default 7 days

	SessionIdle time.Duration // a session that is not used for so long is over; default 30 minutes
	SessionTTL  time.Duration // a session is over after so long, or with its portal; default 12 hours
}

// Service makes and opens the portals of any number of workspaces in one DB. Its state is in
// the DB's store. It is safe for concurrent use.
type Service struct {
	db     *data.DB
	store  storage.Store
	base   string
	keys   *keys.Ring
	signer *link.Signer
	ttl    time.Duration
	maxTTL time.Duration
	idle   time.Duration // of a session
	maxAge time.Duration // of a session
	now    func() time.Time
	rand   io.Reader
}

const (
	defaultTTL    = 24 * time.Hour
	defaultMaxTTL = 7 * 24 * time.Hour
	minTTL        = time.Second
	defaultIdle   = 30 * time.Minute
	defaultMaxAge = 12 * time.Hour
)

// New returns a Service, or an error that matches [validation.ErrInvalid]. It does no I/O.
func New(db *data.DB, o Options) (*Service, error) {
	if db == nil {
		return nil, fmt.Errorf("%w: a DB is required: make it with data.Open", validation.ErrInvalid)
	}
	s := &Service{
		db: db, store: db.Store(), keys: o.Keys, ttl: o.TTL, maxTTL: o.MaxTTL, idle: o.SessionIdle, maxAge: o.SessionTTL,
		now: db.Now, rand: db.Rand(),
	}
	base, err := url.Parse(o.BaseURL)
	switch {
	case err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "":
		return nil, fmt.Errorf("%w: BaseURL must be an absolute http or https URL", validation.ErrInvalid)
	case base.RawQuery != "" || base.ForceQuery || base.Fragment != "" || base.User != nil:
		return nil, fmt.Errorf("%w: BaseURL must have no user, query or fragment", validation.ErrInvalid)
	case o.Keys == nil || !o.Keys.Has(o.Keys.Active()):
		return nil, fmt.Errorf("%w: Options.Keys is required: make them with keys.New", validation.ErrInvalid)
	}
	if s.signer, err = link.NewSigner(o.Keys); err != nil {
		return nil, err
	}
	s.base = strings.TrimRight(base.String(), "/") + "/"
	if s.maxTTL == 0 {
		s.maxTTL = max(defaultMaxTTL, s.ttl)
	}
	if s.ttl == 0 {
		s.ttl = min(defaultTTL, s.maxTTL)
	}
	if s.ttl < minTTL || s.ttl > s.maxTTL {
		return nil, fmt.Errorf("%w: TTL must be at least %v and at most MaxTTL, %v", validation.ErrInvalid, minTTL, s.maxTTL)
	}
	if s.idle == 0 {
		s.idle = defaultIdle
	}
	if s.maxAge == 0 {
		s.maxAge = defaultMaxAge
	}
	if s.idle < minTTL || s.maxAge < minTTL {
		return nil, fmt.Errorf("%w: SessionIdle and SessionTTL must be at least %v", validation.ErrInvalid, minTTL)
	}
	return s, nil
}

// DB returns the DB of the service.
func (s *Service) DB() *data.DB { return s.db }

// BaseURL is what comes before the code of every link, with a slash at its end.
func (s *Service) BaseURL() string { return s.base }

// time is now as portals keep it: in UTC, to the microsecond.
func (s *Service) time() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

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
func (r *record) public(of data.Customer, c Config) CustomerPortal {
	c.notes, c.NavigationMode = form.Notes{}, c.navigation()
	return CustomerPortal{
		ID: r.id, WorkspaceID: r.workspace, CustomerKey: of.Key, CustomerName: of.Name, CustomerTimeZone: of.TimeZone,
		CreatedAt: r.createdAt, ExpiresAt: r.expiresAt, Config: c, MaxUses: int(r.maxUses),
	}
}
