package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal/httpapi"
)

const (
	maxListed   = 10_000  // faults, or warnings, in a response
	maxResponse = 4 << 20 // bytes of the response to an invalid body
)

// slot is a place in a body for a value, with the JSON before and after it.
type slot struct{ name, before, after string }

// fill returns a body of about size bytes. The slot contains a list of the same element, or an object whose members have that
// value.
func (s slot) fill(size int, object bool, element string) string {
	var b strings.Builder
	b.WriteString(s.before + map[bool]string{true: "{", false: "["}[object])
	for i := 0; b.Len()+len(s.after) < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		if object {
			fmt.Fprintf(&b, `"x%d":`, i)
		}
		b.WriteString(element)
	}
	b.WriteString(map[bool]string{true: "}", false: "]"}[object] + s.after)
	return b.String()
}

// slots returns the place parent and the places for objects and lists inside it: one for each pair of a name and a schema that is
// not in seen.
func slots(d document, s map[string]any, parent slot, seen map[string]bool) []slot {
	s = d.resolve(s)
	for _, part := range list(s["allOf"]) {
		s = d.resolve(part.(map[string]any))
	}
	shape, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	if key := parent.name[strings.LastIndexByte(parent.name, '.')+1:] + string(shape); seen[key] {
		return nil
	} else {
		seen[key] = true
	}
	out := []slot{parent}
	if items, ok := s["items"].(map[string]any); ok {
		out = append(out, slots(d, items, slot{parent.name + "[]", parent.before + "[", "]" + parent.after}, seen)...)
	}
	properties, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		out = append(out, slots(d, properties[name].(map[string]any), slot{parent.name + "." + name, fmt.Sprintf("%s{%q:", parent.before, name), "}" + parent.after}, seen)...)
	}
	if of, ok := s["additionalProperties"].(map[string]any); ok {
		out = append(out, slots(d, of, slot{parent.name + ".en-US", parent.before + `{"en-US":`, "}" + parent.after}, seen)...)
	}
	return out
}

// measure sends a request. It returns the number of bytes that the handler allocated, and the response.
func (f *fixture) measure(t testing.TB, method, path, body string) (int64, *httptest.ResponseRecorder) {
	t.Helper()
	r := newRequest(t.Context(), method, path, strings.NewReader(body))
	w := httptest.NewRecorder()
	w.Body = bytes.NewBuffer(make([]byte, 0, 1<<20))
	return allocatedBytes(func() { f.handler.ServeHTTP(w, r) }), w
}

// validPush returns a valid body for a push of about size bytes.
func validPush(size int) string {
	var b strings.Builder
	b.WriteString(`{"customer_key": "c", "rooms": [`)
	for i := 0; b.Len() < size-100; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"room_key": "room-%020d", "name": "Room %07d"}`, i, i)
	}
	return b.String() + "]}"
}

// countMessages returns the number of messages in a validation_errors.
func countMessages(v any) (n int) {
	tree, _ := v.(map[string]any)
	for name, below := range tree {
		if name == "_errors" {
			n += len(list(below))
		} else {
			n += countMessages(below)
		}
	}
	return n
}

// TestFilters_TooManyEmptyFilters_AreOneFault sends a body for which a quadratic algorithm once took seven seconds.
func TestFilters_TooManyEmptyFilters_AreOneFault(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	filters := strings.TrimSuffix(strings.Repeat("{},", 58<<10/3), ",")
	for path, body := range map[string]string{
		"/customers/create_portal":         `{"customer_key": "c", "customer_resources_filters": [%s]}`,
		"/seam/customer/v1/portals/update": `{"customer_portal_id": "00000000-0000-4000-8000-000000000000", "portal_configuration": {"customer_resources_filters": [%s]}}`,
	} {
		out := f.send(t, keyA, http.MethodPost, path, fmt.Sprintf(body, filters))
		if path == "/customers/create_portal" {
			require.Equal(t, http.StatusBadRequest, out.status)
			require.Equal(t, "customer_resources_filters: at most 50", out.at("error", "message"))
		} else {
			require.Equal(t, http.StatusNotFound, out.status, "the portal is looked up first")
		}
	}
}

// TestInvalidBodies_EveryRoute_CostIsLinear fills every object and every list of every body with faults. The allocated bytes must
// grow with the length of the body and be a small multiple of those of a valid push of that length, plus those of the listed
// faults. The length of the response must be bounded. The test does not run in parallel with others, because it measures the
// allocations of the whole process.
func TestInvalidBodies_EveryRoute_CostIsLinear(t *testing.T) { //nolint:paralleltest // see above
	// An element of a collection costs as much as a resource, even if it is short. The ratio of MaxResources to the size of the
	// body is therefore that of the default options: one element for each 64 bytes.
	const size, slack, entry = 16 << 10, 512 << 10, 64
	listed := int64(2 << 10) // for a listed fault, with its path and its node in the tree
	if race.Enabled {
		listed = 3 << 10 // because the compiler then allocates more values on the heap
	}
	f := newMemoryFixture(t, func(o *httpapi.Options) { o.MaxResources = 2 * size / entry })
	valid, out := f.measure(t, http.MethodPost, "/customers/push_data?dry_run=true", validPush(2*size))
	require.Equal(t, http.StatusOK, out.Code, out.Body)
	before := storeRows(t, f.store)
	stride := testsize.Pick(13, 7, 1)
	if race.Enabled {
		stride = 13
	}
	requests, all, seen := 0, 0, map[string]bool{} // each part of a body is filled for only one of the routes that have it
	for _, op := range operations() {
		schema := f.doc.body(op.path, op.method)
		if schema == nil || op.method != http.MethodPost { // PATCH and DELETE have the body of POST
			continue
		}
		for _, h := range slots(f.doc, schema, slot{name: op.path}, seen) {
			if all++; (all-1)%stride != 0 {
				continue
			}
			for _, row := range []struct {
				object  bool
				element string
			}{{true, "0"}, {false, "0"}, {false, "{}"}, {false, "{}" + strings.Repeat(" ", entry)}} {
				name := fmt.Sprintf("%s: %s, object %v", h.name, row.element, row.object)
				once, _ := f.measure(t, op.method, op.path, h.fill(size, row.object, row.element))
				twice, out := f.measure(t, op.method, op.path, h.fill(2*size, row.object, row.element))
				for range 3 { // another goroutine may have allocated memory
					if twice <= 5*once/2+slack {
						break
					}
					again, _ := f.measure(t, op.method, op.path, h.fill(2*size, row.object, row.element))
					twice = min(twice, again)
				}
				require.LessOrEqual(t, twice, 5*once/2+slack, name)
				require.LessOrEqual(t, twice, 3*valid+maxListed*listed, name)
				require.LessOrEqual(t, out.Body.Len(), maxResponse, name)
				require.Less(t, out.Code, 500, name)
				requests++
			}
		}
	}
	require.Greater(t, requests, 400/stride)
	require.LessOrEqual(t, len(storeRows(t, f.store)), len(before)+100, "only a few of the bodies are valid, such as an empty profile")
}

// TestInvalidBodies_AtTheSizeLimit_ResponseIsBounded sends invalid bodies of the maximum length: every third of them at the
// default size, and every sixth with -short.
func TestInvalidBodies_AtTheSizeLimit_ResponseIsBounded(t *testing.T) { //nolint:paralleltest // it measures the allocations of the process
	testsize.SkipShort(t)
	const small, entry = 1 << 20, 64
	large := testsize.Pick(2<<20, 2<<20, 4<<20)
	if race.Enabled {
		large = 2 << 20
	}
	f := newMemoryFixture(t, func(o *httpapi.Options) { o.MaxBodyBytes, o.MaxResources = int64(large), large/entry })
	pad := strings.Repeat(" ", entry)
	validLarge, out := f.measure(t, http.MethodPost, "/customers/push_data?dry_run=true", validPush(large))
	require.Equal(t, http.StatusOK, out.Code)
	validSmall, _ := f.measure(t, http.MethodPost, "/customers/push_data?dry_run=true", validPush(small))
	for i, row := range []struct {
		path    string
		slot    slot
		object  bool
		element string
		size    int
	}{
		{"/customers/push_data", slot{before: `{"customer_key":"c","rooms":`, after: "}"}, false, "{}" + pad, large - 100},
		{"/customers/push_data", slot{before: `{"customer_key":"c","rooms":`, after: "}"}, false, "{}", large - 10},
		{"/customers/push_data", slot{before: `{"customer_key":"c","rooms":`, after: "}"}, false, `{"room_key":"","name":0}` + pad, large - 100},
		{"/customers/push_data", slot{}, true, "0", large - 50},
		{"/customers/push_data", slot{before: `{"customer_key":"c","rooms":[{"room_key":"1","name":"1"},`, after: "]}"}, true, "0", large - 50},
		{"/customers/sync_data", slot{before: `{"customer_key":"c","reservations":`, after: "}"}, false, `{"ends_at":"x"}` + pad, large - 100},
		{"/customers/create_portal", slot{before: `{"customer_data":{"customer_key":"c","rooms":`, after: "}}"}, false, "{}" + pad, large - 100},
		{"/customers/create_portal", slot{before: `{"customer_data":{"customer_key":"c","rooms":`, after: "}}"}, false, "0" + pad, large - 100},
		{"/customers/create_portal", slot{before: `{"customer_key":"c","customer_resources_filters":`, after: "}"}, false, "{}", small - 10},
		{"/customers/create_portal", slot{before: `{"customer_key":"c","features":`, after: "}"}, true, "0", small - 50},
		{"/customers/delete_data", slot{before: `{"room_keys":`, after: "}"}, false, "0", large - 10},
		{"/customers/plan_delete", slot{before: `{"room_keys":`, after: "}"}, false, `""`, large - 10},
		{"/spaces/list", slot{}, true, "0", small - 50},
		{"/user_identities/list", slot{before: `{"user_identity_ids":`, after: "}"}, false, "0", small - 10},
		{"/access_grants/list", slot{before: `{"access_grant_ids":`, after: "}"}, false, `""`, small - 10},
		{"/workspaces/customization_profiles/create", slot{before: `{"message_overrides":{"en-US":`, after: "}}"}, true, "0", small - 50},
		{"/workspaces/customization_profiles/create", slot{before: `{"message_overrides":{"en-US":`, after: "}}"}, true, `""`, small - 50},
		{"/workspaces/customization_profiles/create", slot{before: `{"message_overrides":`, after: "}"}, true, `{}`, small - 50},
	} {
		if i%max(race.Slowness(3), testsize.Pick(6, 3, 1)) != 0 {
			continue
		}
		name := fmt.Sprintf("%s %s %s", row.path, row.slot.before, row.element)
		valid := validLarge
		if row.size < large/2 {
			valid = validSmall
		}
		bytes, out := f.measure(t, http.MethodPost, row.path, row.slot.fill(row.size, row.object, row.element))
		require.LessOrEqual(t, bytes, 3*valid, name)
		require.LessOrEqual(t, out.Body.Len(), maxResponse, name)
		var answer document
		require.NoError(t, json.Unmarshal(out.Body.Bytes(), &answer))
		require.LessOrEqual(t, len(list(answer.at("warnings"))), maxListed+1, name)
		if out.Code != http.StatusBadRequest { // the body has only unknown members, or the customer does not exist
			require.Contains(t, []int{http.StatusOK, http.StatusNotFound}, out.Code, name)
			continue
		}
		listed := countMessages(answer.at("error", "validation_errors"))
		require.True(t, listed > 0 || strings.Contains(out.Body.String(), "too many entries"), name)
		require.LessOrEqual(t, listed, maxListed, name)
		if listed == maxListed {
			require.Regexp(t, `and \d{4,} more \(validation_errors lists the first 10000 and omits \d{4,}\)`, answer.at("error", "message"), name)
		}
	}
}

// TestFaults_MoreThanListed_AreCounted checks the number of faults and warnings that a response omits.
func TestFaults_MoreThanListed_AreCounted(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	f := newMemoryFixture(t)
	var members []string
	n := testsize.Pick(maxListed+100, maxListed+100, 12_000)
	for i := range n {
		members = append(members, fmt.Sprintf(`"a%d": 0`, i))
	}
	rooms := strings.TrimSuffix(strings.Repeat("{},", n), ",")
	more := func(unlisted, omitted int) string {
		return fmt.Sprintf("; and %d more (validation_errors lists the first 10000 and omits %d)", unlisted, omitted)
	}
	for path, row := range map[string]struct{ body, more string }{
		"/workspaces/customization_profiles/create": {`{"message_overrides": {"en-US": {` + strings.Join(members, ",") + `}}}`, more(n-3, n-maxListed)},
		"/customers/push_data":                      {`{"customer_key": "c", "rooms": [` + rooms + `]}`, more(n-3, n-maxListed)},
		"/customers/create_portal":                  {`{"customer_data": {"customer_key": "c", "rooms": [` + rooms + `]}}`, more(n-3, n-maxListed)},
		"/customers/plan_delete":                    {`{"room_keys": [` + strings.TrimSuffix(strings.Repeat(`"",`, n), ",") + `]}`, more(n-3, n-maxListed)},
		"/customers/delete_data":                    {`{` + strings.Join(members, ",") + `}`, more(n-2, n-maxListed+1)},
	} {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, row.body)
		message := out.at("error", "message").(string)
		require.True(t, strings.HasSuffix(message, row.more), message)
		require.Equal(t, maxListed, countMessages(out.at("error", "validation_errors")))
	}
	var unknown []string
	warned := testsize.Pick(maxListed+100, maxListed+100, 15_000)
	for i := range warned {
		unknown = append(unknown, fmt.Sprintf(`"x%d": 0`, i))
	}
	out := f.post(t, "/customers/push_data", `{"customer_key": "c", `+strings.Join(unknown, ",")+`}`)
	warnings := list(out.body["warnings"])
	require.Len(t, warnings, maxListed+1)
	require.Equal(t, map[string]any{"path": "", "rule": "left_out", "message": fmt.Sprintf("%d more warnings were found and are not listed", warned-maxListed)}, warnings[maxListed])
}
