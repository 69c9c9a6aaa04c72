package portal

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
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

func (s *Service) view(ctx context.Context, fn func(storage.Reader) error) error {
	return portaldata.View(ctx, s.db, fn)
}

func (s *Service) update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	return portaldata.Update(ctx, s.db, fn, reads...)
}
