package proofs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/link"
	"github.com/customerportal-go/customerportal/storage"
)

// Each text of a customer contains its word, so that the owner of a text in a response is known. All words have the same
// length. absentWord belongs to no customer.
const (
	attacker   = "indigo"
	victim     = "zephyr" // in the same workspace
	foreigner  = "quartz" // in another workspace
	absentWord = "absent"
)

var testTime = time.Date(2026, 3, 14, 16, 0, 0, 0, time.UTC)

func customerOf(word string) string { return "customer-" + word }

// keyOf returns the key of a customer's resource of a kind. No key is a substring of another.
func keyOf(word string, kind data.Kind) string {
	return fmt.Sprintf("%02x-%s-%s", uint8(kind), kind, word)
}

func refOf(word string, kind data.Kind) data.Ref { return data.Ref{Kind: kind, Key: keyOf(word, kind)} }

// codes are the access codes of the customers. They do not contain a word.
var codes = map[string]string{attacker: "504417", victim: "718293", foreigner: "828374"}

// dataOf returns a customer with a resource of every kind.
func dataOf(word string) data.CustomerData {
	d := data.CustomerData{CustomerKey: customerOf(word)}
	name := func(kind data.Kind) string { return fmt.Sprintf("Name %s %s", kind, word) }
	guest, room := refOf(word, data.KindGuest), refOf(word, data.KindRoom)
	for _, kind := range data.Kinds() {
		key := keyOf(word, kind)
		switch kind.Class() {
		case data.ClassSpace:
			s := data.Space{Kind: kind, Key: key, Name: name(kind)}
			switch kind {
			case data.KindRoom, data.KindUnit, data.KindCommonArea:
				s.ParentSiteKey = keyOf(word, data.KindSite)
			case data.KindSpace:
				s.Details.Address = "Address " + word
			case data.KindPropertyListing:
				s.CustomMetadata = data.CustomMetadata{"note": word}
			}
			d.Add(s)
		case data.ClassUserIdentity:
			u := data.UserIdentity{Kind: kind, Key: key, Name: name(kind), EmailAddress: fmt.Sprintf("%s-%s@mail.example", kind, word)}
			if kind == data.KindStaffMember {
				u.Spaces = []data.Ref{room}
			}
			d.Add(u)
		case data.ClassAccessGrant:
			g := data.AccessGrant{
				Kind: kind, Key: key, Name: name(kind), User: guest, Spaces: []data.Ref{room}, PreferredCode: codes[word],
				StartsAt: testTime.Add(-time.Hour), EndsAt: testTime.Add(48 * time.Hour),
			}
			if kind == data.KindReservation {
				g.CustomMetadata = data.CustomMetadata{"note": word}
			}
			d.Add(g)
		}
	}
	return d
}

// seededRand is a source of random bytes that can be reset.
type seededRand struct{ *rand.ChaCha8 }

func (d *seededRand) reset() { d.Seed([32]byte{7}) }

// tenants is a store with three customers, a session of one of them, and all identifiers of the other two.
type tenants struct {
	dice    *seededRand
	writes  *backends.Faulty
	store   storage.Store
	portals *portal.Service
	ring    *keys.Ring
	words   map[string]*data.Workspace // by the word of a customer in the workspace
	link    string                     // of the attacker's portal
	session *portal.Session            // the attacker's session
	others  []identifier
	secrets []string // texts that no response may contain

	shows   *strings.Replacer // if the attacker has a link that shows little: removes the texts that it shows. Everything else of its customer is among the others
	pages   map[string]string // the statuses of the pages that this link answers with other than 403, 404 and 405
	watched []string          // the words of the customers that may not change

	rows   map[string][]byte // of the store before the attempts
	theirs map[string]bool   // keys of rows that contain data of the other customers
	owners [][]byte          // the internal ids of the other customers
}

// identifier identifies something of another customer.
type identifier struct {
	what   string
	id     string
	absent string // an identifier of the same form that does not exist
	always bool   // the test of sessions leaves out no attempt with it
}

// newTenants fills a store.
func newTenants(t *testing.T, store storage.Store) *tenants {
	t.Helper()
	s := &tenants{dice: &seededRand{rand.NewChaCha8([32]byte{1})}, words: map[string]*data.Workspace{}, watched: []string{victim, foreigner}}
	s.writes = backends.NewFault(store, backends.Fault{Of: backends.Writes, After: 1 << 60}) // it never fails and counts the writes
	s.store = s.writes
	now := func() time.Time { return testTime }
	ring, err := keys.New(0, map[int][]byte{0: []byte("0123456789abcdef0123456789abcdef")})
	require.NoError(t, err)
	db := data.Open(s.store, data.Options{Now: now, Rand: s.dice})
	devices, err := simulatedAccess(db, ring, victim, attacker, foreigner)
	require.NoError(t, err)
	s.portals, err = portal.New(db, portal.Options{BaseURL: "https://portal.example", Keys: ring, Access: devices})
	require.NoError(t, err)
	here := s.portals.DB().Workspace(workspaceID)
	s.words[attacker], s.words[victim] = here, here
	s.words[foreigner] = s.portals.DB().Workspace(uuid.MustParse("11111111-2222-4333-8444-555555555555"))
	for _, word := range []string{victim, attacker, foreigner} {
		_, err := s.words[word].Push(t.Context(), dataOf(word))
		require.NoError(t, err)
		addLock(t, s.words[word], ring, customerOf(word), word)
		open := s.portal(t, word)
		if word == attacker {
			s.session, s.link = open.session, open.link
			continue
		}
		s.collect(t, word, ring, open)
	}
	s.ring = ring
	s.remember(t)
	return s
}

// remember stores the current rows for comparison.
func (s *tenants) remember(t *testing.T) {
	t.Helper()
	_, s.rows = s.read(t)
	s.theirs = map[string]bool{}
	for key, value := range s.rows {
		row := key + string(value)
		if strings.Contains(row, victim) || strings.Contains(row, foreigner) || slices.ContainsFunc(s.owners, func(id []byte) bool { return strings.Contains(row, string(id)) }) {
			s.theirs[key] = true
		}
	}
	require.Greater(t, len(s.theirs), 2*len(data.Kinds()))
}

// openPortal is a portal with an open session.
type openPortal struct {
	link    string
	session *portal.Session
	ids     []uuid.UUID
}

// portal creates a portal with all features and a deep link for a customer, and opens the former.
func (s *tenants) portal(t *testing.T, word string) (out openPortal) {
	t.Helper()
	ws := s.words[word]
	c := portal.Config{ReturnURL: "https://host.example/" + word}
	c.Features.Configure.AllowAccessAutomationRuleCustomization = true
	made, err := s.portals.Create(t.Context(), ws, portal.CreateRequest{CustomerKey: customerOf(word), Config: c})
	require.NoError(t, err)
	deep, err := s.portals.CreateDeepLink(t.Context(), ws, customerOf(word), keyOf(word, data.KindReservation))
	require.NoError(t, err)
	out.link, out.ids = made.URL.Reveal(), []uuid.UUID{made.ID, deep.ID}
	out.session, err = s.portals.OpenSession(t.Context(), portal.Code(out.link), "")
	require.NoError(t, err)
	return out
}

// collect collects all identifiers of a customer.
func (s *tenants) collect(t *testing.T, word string, ring *keys.Ring, open openPortal) {
	t.Helper()
	ctx, ws := t.Context(), s.words[word]
	worded := func(what, id string) {
		require.Contains(t, id, word)
		s.others = append(s.others, identifier{what: what, id: id, absent: strings.ReplaceAll(id, word, absentWord)})
	}
	// For identifiers without a word, the absent one is derived from a hash.
	hashed := func(what, id, letters string) {
		sum := sha256.Sum256([]byte(id))
		absent := []byte(id)
		for i, c := range absent {
			if strings.IndexByte(letters, c) >= 0 && i < 64 {
				absent[i] = letters[int(sum[i%len(sum)])%len(letters)]
			}
		}
		require.NotEqual(t, id, string(absent))
		s.others = append(s.others, identifier{what: what, id: id, absent: string(absent)})
		s.secrets = append(s.secrets, id)
	}
	const hexLetters, wide = "0123456789abcdef", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	worded("customer key", customerOf(word))
	worded("its word", word)
	worded("a setting", "setting-"+word)
	worded("email address", fmt.Sprintf("%s-%s@mail.example", data.KindGuest, word))
	hashed("account id", accountOf(word).String(), hexLetters)
	hashed("device id", deviceOf(word).String(), hexLetters)
	worded("device name", "Lock "+word)
	hashed("preferred code", codes[word], "0123456789")
	c, err := ws.Customer(ctx, customerOf(word))
	require.NoError(t, err)
	id := portaldata.CustomerID(c)
	s.owners = append(s.owners, id[:])
	hashed("customer id", hex.EncodeToString(id[:]), hexLetters)
	export, err := ws.Export(ctx, customerOf(word))
	require.NoError(t, err)
	var resources []data.Resource
	for _, r := range export.Spaces {
		resources = append(resources, r)
	}
	for _, r := range export.UserIdentities {
		resources = append(resources, r)
	}
	for _, r := range export.AccessGrants {
		resources = append(resources, r)
	}
	require.Len(t, resources, len(data.Kinds()))
	for _, r := range resources {
		ref := r.Ref()
		worded(ref.Kind.String()+" key", ref.Key)
		var meta data.Meta
		switch r := r.(type) {
		case data.Space:
			meta = r.Meta
		case data.UserIdentity:
			meta = r.Meta
		case data.AccessGrant:
			meta = r.Meta
		}
		require.NotZero(t, meta.ID)
		hashed(ref.Kind.String()+" id", meta.ID.String(), hexLetters)
	}
	for _, id := range open.ids {
		hashed("portal id", id.String(), hexLetters)
		hashed("portal's short name", hex.EncodeToString(id[10:]), hexLetters)
	}
	signer, err := link.NewSigner(ring)
	require.NoError(t, err)
	verified, err := signer.Verify(portal.Code(open.link), testTime)
	require.NoError(t, err)
	hashed("link id", hex.EncodeToString(verified.ID[:]), hexLetters)
	hashed("code", portal.Code(open.link), "0123456789abcdefghjkmnpqrstvwxyz")
	hashed("token", open.session.Token().Reveal(), wide)
	brand, err := s.portals.CreateProfile(ctx, ws, portal.Profile{Name: "Brand " + word})
	require.NoError(t, err)
	hashed("profile", brand.ID.String(), hexLetters)
	hashed("workspace", ws.ID().String(), hexLetters)

	var sealed portal.Page[data.Space]
	var sealedGrants portal.Page[data.AccessGrant]
	require.NoError(t, open.session.View(ctx, func(v *portal.View) (err error) {
		if sealed, err = v.Spaces(ctx, data.Query{Limit: 1}); err != nil {
			return err
		}
		sealedGrants, err = v.AccessGrants(ctx, data.Query{SpaceKey: keyOf(word, data.KindRoom), Limit: 1})
		return err
	}))
	hashed("cursor of its session", sealed.Next, wide)
	hashed("cursor of its session, by time", sealedGrants.Next, wide)
	plain, err := ws.Spaces(ctx, data.Query{CustomerKey: customerOf(word), Limit: 1})
	require.NoError(t, err)
	hashed("cursor of its host", plain.Next, wide)
	customers, err := ws.Customers(ctx, data.CustomerQuery{Limit: 1})
	require.NoError(t, err)
	if customers.Next != "" {
		hashed("cursor of customers", customers.Next, wide)
	}
	for change, err := range ws.Changes(ctx, data.Cursor{}) {
		require.NoError(t, err)
		if change.CustomerKey == customerOf(word) {
			text, err := change.Cursor.MarshalText()
			require.NoError(t, err)
			hashed("cursor of the feed", string(text), wide)
			break
		}
	}
}

// read returns all rows of the store.
func (s *tenants) read(t *testing.T) (keys []string, rows map[string][]byte) {
	t.Helper()
	rows = map[string][]byte{}
	require.NoError(t, s.store.View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			rows[string(e.Key)] = bytes.Clone(e.Value)
			keys = append(keys, string(e.Key))
		}
		return nil
	}))
	return keys, rows
}

// requireUntouched checks that no row of another customer has changed, and undoes the changes of the attacker's own
// rows.
func (s *tenants) requireUntouched(t *testing.T, by string) {
	t.Helper()
	_, now := s.read(t)
	var put, drop []string
	for key, value := range s.rows {
		if found, there := now[key]; !there || !bytes.Equal(found, value) {
			require.False(t, s.theirs[key], "%s changed a row of another customer: %q", by, key)
			put = append(put, key)
		}
	}
	for key, value := range now {
		if _, there := s.rows[key]; !there {
			for _, id := range s.owners {
				require.NotContains(t, key+string(value), string(id), "%s made a row of another customer", by)
			}
			drop = append(drop, key)
		}
	}
	for part := range slices.Chunk(put, 16) {
		require.NoError(t, s.store.Update(t.Context(), func(tx storage.Tx) error {
			for _, key := range part {
				if err := tx.Put([]byte(key), s.rows[key]); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for part := range slices.Chunk(drop, 16) {
		require.NoError(t, s.store.Update(t.Context(), func(tx storage.Tx) error {
			for _, key := range part {
				if err := tx.Delete([]byte(key)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// try makes an attempt with an identifier and returns the response with the identifier masked.
func (s *tenants) try(t *testing.T, by, id string, do func() string) string {
	t.Helper()
	s.dice.reset()
	writes := s.writes.Calls()
	answer := mask(do(), id)
	if s.writes.Calls() != writes {
		s.requireUntouched(t, by)
	}
	return answer
}

// requireSameAnswer checks that the response is the same as for an identifier that does not exist, and contains nothing
// of another customer.
func (s *tenants) requireSameAnswer(t *testing.T, by string, of identifier, answer, absent string) {
	t.Helper()
	if answer != absent { // require formats its message each time, which costs more than the attempt
		require.Equal(t, absent, answer, "%s with the %s %q", by, of.what, of.id)
	}
	if s.shows != nil {
		s.requireOnlyShown(t, by, answer)
	}
	for _, word := range []string{victim, foreigner} {
		if strings.Contains(answer, word) && of.id != word {
			require.NotContains(t, answer, word, "%s with the %s %q", by, of.what, of.id)
		}
	}
	for _, secret := range s.secrets {
		if strings.Contains(answer, secret) {
			require.NotContains(t, answer, secret, "%s with the %s %q", by, of.what, of.id)
		}
	}
}

// exports returns everything that the hosts of the customers that may not change can read.
func (s *tenants) exports(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	for _, word := range s.watched {
		export, err := s.words[word].Export(t.Context(), customerOf(word))
		require.NoError(t, err)
		portals, err := s.portals.List(t.Context(), s.words[word], customerOf(word), 0, "")
		require.NoError(t, err)
		text, err := json.Marshal(export)
		require.NoError(t, err)
		fmt.Fprintf(&out, "%s %+v\n", text, portals)
	}
	return out.String()
}
