package portal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

const recordVersion = 3

// record is the row of a portal. Connect webviews and guest links are portals of their own kinds.
type record struct {
	id        uuid.UUID
	workspace uuid.UUID
	customer  layout.CustomerID
	link      layout.LinkID
	createdAt time.Time
	expiresAt time.Time // of the link; a guest link can close earlier
	maxUses   uint64
	webview   *webviewRecord // of a connect webview; nil for others
	guest     *guestRecord   // of a guest link; nil for others
	stored    string         // the configuration as JSON, or empty for the zero Config
}

// config decodes the configuration. A configuration that this version cannot read completely is an error, because a portal without a
// part of its configuration, such as a deep link to something that a later version knows, could show more.
func (r *record) config() (c Config, err error) {
	if r.stored == "" {
		return c, nil
	}
	if err := c.UnmarshalJSON([]byte(r.stored)); err != nil {
		return c, fmt.Errorf("%w: the configuration of portal %s: %w", storage.ErrCorrupt, r.id, err)
	}
	if err := invalid(c.notes); err != nil {
		return Config{}, fmt.Errorf("%w: the configuration of portal %s: %w", storage.ErrCorrupt, r.id, err)
	}
	return c, nil
}

// encodeConfig returns a configuration as a record stores it. It notes a fault if the result is too long. If notes has faults
// already, it returns an empty string, since an invalid Config may have no JSON.
func encodeConfig(c Config, notes *jsonobject.Notes) (stored string, err error) {
	if len(notes.Faults) > 0 || c.isZero() {
		return "", nil
	}
	b, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("portal: encoding a configuration: %w", err)
	}
	// A Config that is equivalent to the zero Config, as with NavigationFull, is stored like it.
	if zero, err := zeroConfig(); err != nil || bytes.Equal(zero, b) {
		return "", err
	}
	if len(b) > maxConfigBytes {
		notes.Fault("features", validation.RuleTooMany, "the configuration has %d bytes of JSON; the maximum is %d", len(b), maxConfigBytes)
	}
	return string(b), nil
}

// zeroConfig returns the JSON of the zero Config.
var zeroConfig = sync.OnceValues(func() ([]byte, error) { return json.Marshal(Config{}) })

// encode returns the row of the portal. decodeRecord decodes it.
func (r *record) encode() []byte {
	b := append([]byte{recordVersion}, r.workspace[:]...)
	b = append(b, r.link[:]...)
	b = layout.AppendTime(b, r.createdAt)
	b = layout.AppendTime(b, r.expiresAt)
	b = binary.AppendUvarint(b, r.maxUses)
	b = layout.AppendBytes(b, r.encodeKind())
	return append(b, r.stored...)
}

func decodeRecord(customer layout.CustomerID, id uuid.UUID, b []byte) (*record, error) {
	d := layout.NewDecoder(b)
	if v := d.Byte(); v != recordVersion {
		return nil, fmt.Errorf("%w: portal %s has record version %d, not %d", storage.ErrCorrupt, id, v, recordVersion)
	}
	r := &record{
		id: id, customer: customer, workspace: d.UUID(), link: d.LinkID(),
		createdAt: d.Time(), expiresAt: d.Time(), maxUses: d.Uvarint(),
	}
	kind := d.Bytes()
	r.stored = d.Rest()
	err := d.Done()
	if err == nil {
		err = r.decodeKind(kind)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the record of portal %s: %w", storage.ErrCorrupt, id, err)
	}
	return r, nil
}

// creationRows returns the rows that a portal has after its creation: its record, the rows that point to it, and the edge to the
// resource of its deep link.
func creationRows(r *record, c Config) []storage.Entry {
	rows := []storage.Entry{
		{Key: layout.Portal(r.customer, r.id), Value: r.encode()},
		{Key: layout.LinkRow(r.customer, r.link), Value: r.id[:]},
	}
	byID, value := layout.PortalIndexEntry(r.customer, r.id)
	rows = append(rows, storage.Entry{Key: byID, Value: value})
	byLink, value := layout.LinkIndexEntry(r.customer, r.id, r.link)
	rows = append(rows, storage.Entry{Key: byLink, Value: value})
	if edge := deepLinkEdge(r, c); edge != nil {
		rows = append(rows, storage.Entry{Key: edge})
	}
	return rows
}

// laterRows returns the keys of the rows that a portal may have in addition to its creationRows.
func laterRows(r *record) [][]byte {
	return [][]byte{layout.Uses(r.customer, r.id), layout.Revoked(r.customer, r.id), layout.ExpiryReported(r.customer, r.id)}
}

// deepLinkEdge returns the key of the row that makes a portal a referrer of the resource or the device of its deep link, so that a
// delete of it revokes the portal. It returns nil if the portal is not a deep link.
func deepLinkEdge(r *record, c Config) []byte {
	if !c.isDeepLink() {
		return nil
	}
	if device, is := c.linkedDevice(); is {
		return layout.DeviceLinkEdge(r.customer, device, r.id)
	}
	return layout.Edge(r.customer, byte(c.DeepLink.Kind.Class()), c.DeepLink.Key, layout.ReferrerPortal, nil, string(r.id[:]))
}

// pointer identifies a portal. It is the value of the rows that find a portal by its link, its session or its id.
type pointer struct {
	customer layout.CustomerID
	portal   uuid.UUID
}

func decodePointer(b []byte) (pointer, error) {
	d := layout.NewDecoder(b)
	p := pointer{d.CustomerID(), d.UUID()}
	if err := d.Done(); err != nil {
		return p, fmt.Errorf("%w: the row of a link: %w", storage.ErrCorrupt, err)
	}
	return p, nil
}
