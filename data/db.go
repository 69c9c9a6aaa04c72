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
	// Now and Rand must be safe for concurrent use, and Rand must never repeat itself. Packages that use the DB, such as portal,
	// use them too.
	Now  func() time.Time // default time.Now
	Rand io.Reader        // default crypto/rand

	Logger *slog.Logger // for background work and failed requests; default slog.Default()

	// FollowInterval is the interval at which Follow looks for commits of other DBs, such as those of other processes. The
	// default is 1 second.
	FollowInterval time.Duration

	// FeedRetention is the minimum time for which Run keeps changes in the change feeds. The default is 90 days. A negative
	// value keeps all changes. See [DB.Run].
	FeedRetention time.Duration
}

const (
	defaultFollowInterval = time.Second
	defaultFeedRetention  = 90 * 24 * time.Hour
)

// DB gives access to the customers of all workspaces in one store. A program opens one DB for its store and passes it to
// everything that uses the store. Several DBs, in one or more processes, may use one store at the same time. A DB is safe for
// concurrent use.
type DB struct {
	store          storage.Store
	now            func() time.Time
	rand           io.Reader
	log            *slog.Logger
	followInterval time.Duration
	feedRetention  time.Duration
	shortPlan      int // maximum number of resources that a plan may read in the transaction that executes it

	formatChecked atomic.Bool // the store is known to have the format of this version
	commits       commitSignal
	ids           customerIDs
}

// Open returns a DB for the store. It does no I/O. The caller closes the store when it no longer uses the DB.
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

// Workspace returns the workspace with this id. It does no I/O: a workspace needs no creation. All values for the same id are
// equivalent.
func (db *DB) Workspace(id uuid.UUID) *Workspace { return &Workspace{db: db, id: id} }

// Store returns the store.
func (db *DB) Store() storage.Store { return db.store }

// Now returns the time of the DB's clock.
func (db *DB) Now() time.Time { return db.now() }

// Rand returns the DB's source of randomness.
func (db *DB) Rand() io.Reader { return db.rand }

// Logger returns the DB's logger.
func (db *DB) Logger() *slog.Logger { return db.log }
