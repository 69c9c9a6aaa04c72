package portal

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal/link"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// Options configures a Service. BaseURL and Keys are required. The other fields may be zero.
type Options struct {
	// BaseURL is the URL of all links without the code: an absolute http or https URL without user, query and fragment, such
	// as "https://se.am" or "https://example.com/portal". Its path must be equal to the path of the requests: it must have no
	// escaped characters, no semicolon, and no segment that is empty, "." or "..". It may end with a slash.
	BaseURL string

	Keys *keys.Ring // the keys that sign and verify links

	// Access connects accounts and controls devices, on the same DB. If it is nil, there are no devices in portals and in the API.
	Access *access.Service

	TTL    time.Duration // lifetime of a portal if CreateRequest.TTL is zero; at least 1 second; default 24 hours
	MaxTTL time.Duration // the greatest CreateRequest.TTL; default 7 days, or TTL if that is greater

	SessionIdle time.Duration // time after the last use at which a session is over; at least 1 second; default 30 minutes
	SessionTTL  time.Duration // greatest lifetime of a session; at least 1 second; default 12 hours
}

// Service creates and opens the portals of any number of workspaces in one DB. It keeps its state in the DB's store. It is safe
// for concurrent use.
type Service struct {
	db     *data.DB
	store  storage.Store
	access *access.Service // Options.Access
	base   string
	keys   *keys.Ring
	signer *link.Signer
	ttl    time.Duration
	maxTTL time.Duration
	idle   time.Duration // Options.SessionIdle
	maxAge time.Duration // Options.SessionTTL
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

// New returns a Service for the workspaces of a DB. It does not read the store. It returns an error that matches
// [validation.ErrInvalid] if db is nil or an option is invalid.
func New(db *data.DB, o Options) (*Service, error) {
	if db == nil {
		return nil, fmt.Errorf("%w: a DB is required: use data.Open", validation.ErrInvalid)
	}
	s := &Service{
		db: db, store: db.Store(), access: o.Access, keys: o.Keys, ttl: o.TTL, maxTTL: o.MaxTTL, idle: o.SessionIdle, maxAge: o.SessionTTL,
		now: db.Now, rand: db.Rand(),
	}
	base, err := url.Parse(o.BaseURL)
	switch {
	case err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "":
		return nil, fmt.Errorf("%w: BaseURL must be an absolute http or https URL", validation.ErrInvalid)
	case base.RawQuery != "" || base.ForceQuery || base.Fragment != "" || base.User != nil:
		return nil, fmt.Errorf("%w: BaseURL must have no user, query or fragment", validation.ErrInvalid)
	case !isPlainPath(base):
		return nil, fmt.Errorf("%w: the path of BaseURL, %q, must have no escaped characters, no semicolon, and no segment that is empty, %q or %q",
			validation.ErrInvalid, base.EscapedPath(), ".", "..")
	case o.Access != nil && o.Access.DB() != db:
		return nil, fmt.Errorf("%w: Options.Access must use the same DB", validation.ErrInvalid)
	case o.Keys == nil || !o.Keys.Has(o.Keys.Active()):
		return nil, fmt.Errorf("%w: Options.Keys is required, with an active key: use keys.New", validation.ErrInvalid)
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

// isPlainPath reports whether browsers and proxies send the path of a URL unchanged, so that it can be compared with the path
// of a request and used as the path of a cookie.
func isPlainPath(u *url.URL) bool {
	if u.EscapedPath() != u.Path || strings.Contains(u.Path, ";") {
		return false
	}
	plain := strings.TrimRight(u.Path, "/")
	return plain == "" || path.Clean(plain) == plain
}

// DB returns the DB of the service.
func (s *Service) DB() *data.DB { return s.db }

// Access returns Options.Access, which may be nil.
func (s *Service) Access() *access.Service { return s.access }

// BaseURL returns Options.BaseURL with a slash at the end. The URL of a link is the BaseURL followed by the code.
func (s *Service) BaseURL() string { return s.base }

// time returns the current time in UTC, truncated to the microsecond, as it is stored.
func (s *Service) time() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// view runs fn on one consistent snapshot of the store. It returns an error that matches data.ErrFormat if the store was written
// in another version of the format.
func (s *Service) view(ctx context.Context, fn func(storage.Reader) error) error {
	return portaldata.View(ctx, s.db, fn)
}

// update runs fn in one Update of the store. It runs fn again if the Update conflicts with another. reads are the keys of the
// rows that fn reads. update returns an error that matches data.ErrFormat if the store was written in another version of the
// format. In a store that has no rows, it also records the version of the format.
func (s *Service) update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	return portaldata.Update(ctx, s.db, fn, reads...)
}
