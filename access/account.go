package access

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
)

// AccountStatus is the state of the connection to an account.
type AccountStatus string

// The states of an account.
const (
	AccountConnecting  AccountStatus = "connecting"  // no process has opened it since it was connected
	AccountConnected   AccountStatus = "connected"   // events of its devices arrive
	AccountUnreachable AccountStatus = "unreachable" // the provider cannot be reached, or fails; the Service tries again
	AccountLost        AccountStatus = "lost"        // only the customer can repair it, by reconnecting the account
)

// Account is a connected account: a customer's login, hub or server at a provider. It contains no secret.
type Account struct {
	ID          uuid.UUID `json:"connected_account_id"`
	CustomerKey string    `json:"customer_key"`
	Provider    string    `json:"provider"`    // the key of the provider
	ExternalID  string    `json:"external_id"` // the id at the provider
	Name        string    `json:"name"`

	Status      AccountStatus `json:"status"`
	StatusSince time.Time     `json:"status_since"`
	Error       string        `json:"error,omitempty"` // why it is unreachable or lost, in English; at most 200 bytes

	// FirstSyncAt is the time at which the inventory was read completely for the first time, or zero.
	FirstSyncAt time.Time `json:"first_sync_at,omitzero"`

	Metadata data.CustomMetadata `json:"custom_metadata,omitempty"` // set by [Scope.UpdateAccount]

	CreatedAt time.Time `json:"created_at"`
}

// accountDetails is the stored form of the fields that package access defines.
type accountDetails struct {
	Status      AccountStatus   `json:"status"`
	StatusSince time.Time       `json:"since"`
	Error       string          `json:"error,omitempty"`
	FirstSyncAt time.Time       `json:"synced,omitzero"`
	Connects    int             `json:"connects"` // how often the customer has connected it, so that a session sees a new secret
	Settings    accountSettings `json:"settings,omitzero"`
}

// accountSettings are the settings of an account that the host makes. Connecting the account again does not change them.
type accountSettings struct {
	Name     string              `json:"name,omitempty"` // instead of that of the driver
	Metadata data.CustomMetadata `json:"metadata,omitempty"`
}

// IsZero reports whether there are no settings.
func (s accountSettings) IsZero() bool { return s.Name == "" && len(s.Metadata) == 0 }

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("access: encoding %T: %v", v, err)) // the types have no values that JSON cannot represent
	}
	return b
}

// decode decodes a stored value into v.
func decode(what string, b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %s: %w", storage.ErrCorrupt, what, err)
	}
	return nil
}

func newAccount(customerKey string, row *devicedata.Account) (Account, error) {
	var d accountDetails
	if err := decode("the details of an account", row.Details, &d); err != nil {
		return Account{}, err
	}
	return Account{
		ID: row.ID, CustomerKey: customerKey, Provider: row.Provider, ExternalID: row.ExternalID, Name: row.Name,
		Status: d.Status, StatusSince: d.StatusSince, Error: d.Error, FirstSyncAt: d.FirstSyncAt, Metadata: d.Settings.Metadata, CreatedAt: row.CreatedAt,
	}, nil
}

// Accounts returns the accounts of the customer of the scope in the order of their ids. It returns a [validation.Error] for the
// scope of a workspace, for which [Scope.AccountPage] returns the accounts, and [data.ErrCustomerNotFound].
func (c *Scope) Accounts(ctx context.Context) (accounts []Account, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		customer, err := c.customerIn(ctx, s)
		if err != nil {
			return err
		}
		accounts, err = accountsOf(ctx, s, customer)
		return err
	})
	return accounts, err
}

// accountsOf returns the accounts of a customer in the order of their ids. It has at most [MaxAccounts].
func accountsOf(ctx context.Context, s *data.Snapshot, customer data.Customer) ([]Account, error) {
	accounts := []Account{}
	for row, err := range devicedata.Accounts(ctx, s, devicedata.IDOf(customer)) {
		if err != nil {
			return nil, err
		}
		a, err := newAccount(customer.Key, row)
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, a)
	}
	return accounts, nil
}

// AccountQuery selects connected accounts.
type AccountQuery struct {
	// Keep, if it is not nil, reports whether an account is listed.
	Keep func(Account) bool

	Limit  int    // maximum number of accounts in a page, from 1 to 1000; 0 selects 100
	Cursor string // Page.Next of the previous page of the same query; empty selects the first page
}

// AccountPage returns a page of the accounts of the scope: customer by customer in the order of their keys, and the accounts of each
// in the order of their ids. A page reads at most 10,000 accounts, and has Stopped set if it ended for that reason. AccountPage
// returns a [validation.Error] for a Limit out of range, [data.ErrInvalidCursor], and [data.ErrCustomerNotFound].
func (c *Scope) AccountPage(ctx context.Context, q AccountQuery) (page data.Page[Account], err error) {
	limit, after, err := c.pageStart(q.Limit, q.Cursor)
	if err != nil {
		return page, err
	}
	err = c.view(ctx, func(s *data.Snapshot) error {
		page = data.Page[Account]{Items: []Account{}}
		read, at := 0, after
		for customer, err := range c.customersFrom(ctx, s, after.customer) {
			if err != nil {
				return err
			}
			accounts, err := accountsOf(ctx, s, customer)
			if err != nil {
				return err
			}
			for _, a := range accounts {
				if customer.Key == after.customer && bytes.Compare(a.ID[:], after.id[:]) <= 0 {
					continue
				}
				if len(page.Items) == limit || read == maxScan {
					page.Stopped = len(page.Items) < limit
					page.Next = at.String()
					return nil
				}
				read++
				at = position{customer.Key, a.ID}
				if q.Keep == nil || q.Keep(a) {
					page.Items = append(page.Items, a)
				}
			}
		}
		return nil
	})
	return page, err
}

// Account returns an account of the scope. It returns [ErrAccountNotFound].
func (c *Scope) Account(ctx context.Context, id uuid.UUID) (a Account, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		row, customer, err := c.findAccount(ctx, s, id)
		if err != nil {
			return err
		}
		a, err = newAccount(customer.Key, row)
		return err
	})
	return a, err
}

func (c *Scope) findAccount(ctx context.Context, s *data.Snapshot, id uuid.UUID) (*devicedata.Account, data.Customer, error) {
	rows, err := devicedata.FindAccounts(ctx, s, id)
	if err != nil {
		return nil, data.Customer{}, err
	}
	if rows[0] == nil {
		return nil, data.Customer{}, ErrAccountNotFound
	}
	customer, err := c.owner(ctx, s, rows[0].Customer, ErrAccountNotFound)
	return rows[0], customer, err
}

// DeleteAccount deletes an account with its devices, mappings and states, and revokes the portals that are deep links to one of the
// devices. It returns the access codes that must be removed from
// the devices; their removal is scheduled, and the secret of the account stays stored until the last of them is done. It returns
// [ErrAccountNotFound]. Action attempts that have not been sent fail.
func (c *Scope) DeleteAccount(ctx context.Context, id uuid.UUID) (removed []data.CodeRemoval, err error) {
	a, err := c.accountRow(ctx, id)
	if err != nil {
		return nil, err
	}
	err = c.within(ctx, a.Customer, func(ctx context.Context, tx data.CustomerTx) (err error) {
		removed, err = devicedata.DeleteAccount(ctx, tx, id)
		return err
	})
	c.s.accounts.set()
	return removed, err
}

func (c *Scope) accountRow(ctx context.Context, id uuid.UUID) (row *devicedata.Account, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		row, _, err = c.findAccount(ctx, s, id)
		return err
	})
	return row, err
}

// seal encrypts the secret of an account.
func (s *Service) seal(account uuid.UUID, secret string) ([]byte, error) {
	return s.keys.Seal(keys.PurposeAccount, devicedata.SecretKey(account), []byte(secret), s.db.Rand())
}

// now returns the time of the clock of the database in the precision in which it is stored.
func (s *Service) now() time.Time { return s.db.Now().UTC().Truncate(time.Microsecond) }

// newID returns a random id.
func (s *Service) newID() (uuid.UUID, error) { return uuid.NewRandomFromReader(s.db.Rand()) }
