package data

import (
	"cmp"
	"crypto/rand"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/storage"
)

// Options configures a DB. The zero value works.
type Options struct {
	// Now and Rand must be safe for concurrent use, and Rand must never repeat itself. The
	// packages above, such as portal, use them too.
	Now  func() time.Time // default time.Now
	Rand io.Reader        // default crypto/rand

	Logger *slog.Logger // of background work and of failed requests; default slog.Default()

	// FollowInterval is how often Follow looks for what was committed by way of another DB,
	// such as that of another process; default 1 second.
	FollowInterval time.Duration

	// FeedRetention is how long Run keeps changes in the change feeds at least; default 90
	// days. Less than zero keeps them all. See [DB.Run].
	FeedRetention time.Duration
}

const (
	defaultFollowInterval = time.Second
	defaultFeedRetention  = 90 * 24 * time.Hour
)

// DB is the customers of all workspaces in one store. A program opens one DB on its store
// and gives it to everything that works on the store. Several DBs, in one process or in
// several, may use one store at the same time. A DB is safe for concurrent use.
type DB struct {
	store          storage.Store
	now            func() time.Time
	rand           io.Reader
	log            *slog.Logger
	followInterval time.Duration
	feedRetention  time.Duration
	shortPlan      int // resources that a plan may look at in the transaction that carries it out

	formatChecked atomic.Bool // whether the format of the store is known to be right
	commits       commitSignal
	ids           customerIDs
}

// Open returns the DB of a store. It does no I/O. The caller closes the store when nothing
// uses the DB any more.
func Open(store storage.Store, o Options) *DB {
	db := &DB{
		store: store, now: o.Now, rand: o.Rand, log: o.Logger, shortPlan: shortPlan,
		followInterval: cmp.Or(max(o.FollowInterval, 0), defaultFollowInterval),
		feedRetention:  cmp.Or(o.FeedRetention, defaultFeedRetention),
	}
	if db.now == nil {
		db.now = time.Now
	}
	if db.rand == nil {
		db.rand = rand.Reader
	}
	if db.log == nil {
		db.log = slog.Default()
	}
	return db
}

// Workspace returns the workspace with an id. It does no I/O: a workspace exists as soon as
// it has a customer. Workspaces with the same id of one DB are equivalent.
func (db *DB) Workspace(id uuid.UUID) *Workspace { return &Workspace{db: db, id: id} }

// Store returns the store.
func (db *DB) Store() storage.Store { return db.store }

// Now returns the time of the DB's clock.
func (db *DB) Now() time.Time { return db.now() }

// Rand returns the DB's source of randomness.
func (db *DB) Rand() io.Reader { return db.rand }

// Logger returns the DB's logger.
func (db *DB) Logger() *slog.Logger { return db.log }
