package access

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/textsearch"
)

// maxSuggested bounds the number of devices and of spaces that [Scope.Suggestions] reads.
const maxSuggested = 10_000

// Match says which parts of the names of a device and a space agree.
type Match string

// The matches, the best first.
const (
	MatchName   Match = "name"   // the names are the same, ignoring case, accents and punctuation
	MatchWords  Match = "words"  // the name of the device contains all words of the name of the space
	MatchNumber Match = "number" // both names contain the same number, and no other space does
)

// Suggestion is a mapping that the names suggest. [Scope.Map] accepts it.
type Suggestion struct {
	DeviceMapping
	DeviceName string `json:"device_name"`
	SpaceName  string `json:"space_name"`
	Match      Match  `json:"match"`
}

// SpaceRef is a space in [Suggestions].
type SpaceRef struct {
	Key  string    `json:"space_key"`
	Kind data.Kind `json:"kind"`
	Name string    `json:"name"`
}

// Suggestions help to map the devices of a customer.
type Suggestions struct {
	// Mappings contains at most one suggestion for each device that is mapped to no space.
	Mappings []Suggestion `json:"mappings"`

	// Unmapped contains the devices that are mapped to no space, with or without a suggestion, by name.
	Unmapped []Device `json:"unmapped_devices"`

	// WithoutLock contains the spaces, except sites and common areas, to which no device with a lock is mapped, by key.
	WithoutLock []SpaceRef `json:"spaces_without_lock"`

	// Closed contains the devices with a lock that are mapped, but that no access grant can open: they are mapped only to sites and
	// common areas that no current or future access grant names, and they are not shared there. They are sorted by name.
	Closed []Device `json:"entrances_without_grants"`

	// Incomplete reports that the customer has more than 10,000 devices or spaces, and that only the first 10,000 were read.
	Incomplete bool `json:"incomplete,omitempty"`
}

// Suggestions compares the names of the devices that are mapped to no space with the names of the spaces. It returns a
// [validation.Error] for the scope of a workspace, and [data.ErrCustomerNotFound].
func (c *Scope) Suggestions(ctx context.Context) (out Suggestions, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		out = Suggestions{Mappings: []Suggestion{}, Unmapped: []Device{}, WithoutLock: []SpaceRef{}, Closed: []Device{}}
		customer, err := c.customerIn(ctx, s)
		if err != nil {
			return err
		}
		spaces, err := c.allSpaces(ctx, s, &out)
		if err != nil {
			return err
		}
		accounts, err := accountsByID(ctx, s, customer)
		if err != nil {
			return err
		}
		locked := map[string]bool{}
		named := map[string]bool{} // spaces that an access grant names
		n := 0
		for row, err := range devicedata.Devices(ctx, s, devicedata.IDOf(customer), uuid.Nil) {
			if err != nil {
				return err
			}
			if n++; n > maxSuggested {
				out.Incomplete = true
				break
			}
			d, err := newDevice(accounts[row.AccountID], row, nil)
			if err != nil {
				return err
			}
			if len(d.Mappings) == 0 {
				out.Unmapped = append(out.Unmapped, d)
				continue
			}
			if !d.IsLock() {
				continue
			}
			opens, err := c.opens(ctx, s, d, spaces, named)
			if err != nil {
				return err
			}
			if !opens {
				out.Closed = append(out.Closed, d)
			}
			for _, m := range d.Mappings {
				locked[m.SpaceKey] = true
			}
		}
		for _, sp := range spaces.list {
			if !sp.entrance() && !locked[sp.Key] {
				out.WithoutLock = append(out.WithoutLock, sp.SpaceRef)
			}
		}
		for _, devices := range [][]Device{out.Unmapped, out.Closed} {
			slices.SortFunc(devices, func(a, b Device) int { return strings.Compare(a.Name+a.ExternalID, b.Name+b.ExternalID) })
		}
		out.Mappings = spaces.suggest(out.Unmapped)
		return nil
	})
	return out, err
}

// namedSpace is a space with the words of its name.
type namedSpace struct {
	SpaceRef
	words []string
}

// entrance reports whether a device that is mapped to the space is an entrance to other spaces.
func (s namedSpace) entrance() bool { return s.Kind == data.KindSite || s.Kind == data.KindCommonArea }

type namedSpaces struct {
	list  []namedSpace
	byKey map[string]namedSpace
}

func (c *Scope) allSpaces(ctx context.Context, s *data.Snapshot, out *Suggestions) (namedSpaces, error) {
	spaces := namedSpaces{byKey: map[string]namedSpace{}}
	q := data.Query{CustomerKey: c.customer, Limit: 1000}
	for {
		page, err := s.Spaces(ctx, q)
		if err != nil {
			return spaces, err
		}
		for _, sp := range page.Items {
			n := namedSpace{SpaceRef{sp.Key, sp.Kind, sp.Name}, words(sp.Name)}
			spaces.list = append(spaces.list, n)
			spaces.byKey[sp.Key] = n
		}
		if page.Next == "" {
			return spaces, nil
		}
		if len(spaces.list) >= maxSuggested {
			out.Incomplete = true
			return spaces, nil
		}
		q.Cursor = page.Next
	}
}

// opens reports whether an access grant can open a device. named remembers the entrances that an access grant names.
func (c *Scope) opens(ctx context.Context, s *data.Snapshot, d Device, spaces namedSpaces, named map[string]bool) (bool, error) {
	for _, m := range d.Mappings {
		if m.Shared || !spaces.byKey[m.SpaceKey].entrance() {
			return true, nil
		}
		known, ok := named[m.SpaceKey]
		if !ok {
			page, err := s.AccessGrants(ctx, data.Query{
				CustomerKey: c.customer, SpaceKey: m.SpaceKey, From: c.s.db.Now(), Limit: 1,
				Keep: func(r data.Resource) (bool, error) {
					g, ok := r.(data.AccessGrant) // a list of a site contains the access grants of the spaces in the site
					return ok && slices.ContainsFunc(g.Spaces, func(ref data.Ref) bool { return ref.Key == m.SpaceKey }), nil
				},
			})
			if err != nil {
				return false, err
			}
			known = len(page.Items) > 0 || page.Stopped // a page that stopped early proves nothing
			named[m.SpaceKey] = known
		}
		if known {
			return true, nil
		}
	}
	return false, nil
}

// words returns the words and numbers of a name in the form in which they are compared.
func words(name string) []string {
	split := strings.FieldsFunc(textsearch.Fold(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	var out []string
	for _, w := range split {
		out = append(out, parts(w)...)
	}
	return out
}

// parts splits a word where letters and digits meet, as in "room101" and "101a", and removes leading zeros of numbers.
func parts(word string) (out []string) {
	start := 0
	runes := []rune(word)
	for i := 1; i <= len(runes); i++ {
		if i < len(runes) && unicode.IsNumber(runes[i]) == unicode.IsNumber(runes[i-1]) {
			continue
		}
		part := string(runes[start:i])
		if unicode.IsNumber(runes[start]) {
			if trimmed := strings.TrimLeft(part, "0"); trimmed != "" {
				part = trimmed
			} else {
				part = "0"
			}
		}
		out = append(out, part)
		start = i
	}
	return out
}

func isNumber(word string) bool { return word[0] >= '0' && word[0] <= '9' }

// suggest returns the best space for each device that has one.
func (s namedSpaces) suggest(devices []Device) []Suggestion {
	byName, byWord := map[string][]int{}, map[string][]int{}
	for i, sp := range s.list {
		if len(sp.words) == 0 {
			continue
		}
		byName[strings.Join(sp.words, " ")] = append(byName[strings.Join(sp.words, " ")], i)
		for w := range unique(sp.words) {
			byWord[w] = append(byWord[w], i)
		}
	}
	byRare := map[string][]int{} // by the word of the space that the fewest spaces have, so that few spaces are compared
	for i, sp := range s.list {
		if len(sp.words) > 0 {
			rare := slices.MinFunc(sp.words, func(a, b string) int { return len(byWord[a]) - len(byWord[b]) })
			byRare[rare] = append(byRare[rare], i)
		}
	}
	out := []Suggestion{}
	for _, d := range devices {
		of := words(d.Name)
		if at, match := s.best(of, byName, byWord, byRare); match != "" {
			sp := s.list[at]
			out = append(out, Suggestion{
				DeviceMapping: DeviceMapping{DeviceID: d.ID, Mapping: Mapping{SpaceKey: sp.Key}},
				DeviceName:    d.Name, SpaceName: sp.Name, Match: match,
			})
		}
	}
	return out
}

func unique(words []string) map[string]bool {
	set := map[string]bool{}
	for _, w := range words {
		set[w] = true
	}
	return set
}

// best returns the index of the space that matches the words of a device's name best. The match is empty if no space matches, or if
// several are equally good.
func (s namedSpaces) best(of []string, byName, byWord, byRare map[string][]int) (int, Match) {
	if same := byName[strings.Join(of, " ")]; len(of) > 0 && len(same) > 0 {
		return one(same, MatchName)
	}
	has := unique(of)
	most := 0
	var contained []int
	for w := range has {
		for _, i := range byRare[w] {
			need := unique(s.list[i].words)
			n := len(need)
			if n < most || !subset(need, has) {
				continue
			}
			if n > most {
				most, contained = n, nil
			}
			contained = append(contained, i)
		}
	}
	if len(contained) > 0 {
		return one(contained, MatchWords)
	}
	var numbered []int
	for w := range has {
		if isNumber(w) {
			numbered = append(numbered, byWord[w]...)
		}
	}
	return one(numbered, MatchNumber)
}

func subset(of, in map[string]bool) bool {
	for w := range of {
		if !in[w] {
			return false
		}
	}
	return true
}

func one(of []int, match Match) (int, Match) {
	if len(of) != 1 {
		return 0, ""
	}
	return of[0], match
}
