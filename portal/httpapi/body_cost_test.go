package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/portal/httpapi"
)

const (
	mostListed = 10_000  // faults, and warnings, that an answer lists
	mostAnswer = 4 << 20 // bytes of an answer to a faulty body
)

// hole is a place in a body that a schema describes, with the JSON around it.
type hole struct{ name, before, after string }

// fill makes a body of about so many bytes: the hole holds a list of the same element, or
// an object whose members have that value.
func (h hole) fill(size int, object bool, element string) string {
	var b strings.Builder
	b.WriteString(h.before + map[bool]string{true: "{", false: "["}[object])
	for i := 0; b.Len()+len(h.after) < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		if object {
			fmt.Fprintf(&b, `"x%d":`, i)
		}
		b.WriteString(element)
	}
	b.WriteString(map[bool]string{true: "}", false: "]"}[object] + h.after)
	return b.String()
}

// holes lists the objects and lists of a body, one for each different schema of a name.
func holes(d document, s map[string]any, at hole, seen map[string]bool) []hole {
	s = d.resolve(s)
	for _, part := range list(s["allOf"]) {
		s = d.resolve(part.(map[string]any))
	}
	shape, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	if key := at.name[strings.LastIndexByte(at.name, '.')+1:] + string(shape); seen[key] {
		return nil
	} else {
		seen[key] = true
	}
	out := []hole{at}
	if items, ok := s["items"].(map[string]any); ok {
		out = append(out, holes(d, items, hole{at.name + "[]", at.before + "[", "]" + at.after}, seen)...)
	}
	properties, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		out = append(out, holes(d, properties[name].(map[string]any), hole{at.name + "." + name, fmt.Sprintf("%s{%q:", at.before, name), "}" + at.after}, seen)...)
	}
	if of, ok := s["additionalProperties"].(map[string]any); ok {
		out = append(out, holes(d, of, hole{at.name + ".en-US", at.before + `{"en-US":`, "}" + at.after}, seen)...)
	}
	return out
}

// work counts the bytes that the handler allocates for a request, and returns its answer.
func (f *fixture) work(t testing.TB, method, path, body string) (int64, *httptest.ResponseRecorder) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+keyA)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	w.Body = bytes.NewBuffer(make([]byte, 0, 1<<20))
	return allocated(func() { f.handler.ServeHTTP(w, r) }), w
}

// validPush is a push of about so many bytes without a fault.
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

// leaves counts the errors of a validation_errors.
func leaves(v any) (n int) {
	tree, _ := v.(map[string]any)
	for name, below := range tree {
		if name == "_errors" {
			n += len(list(below))
		} else {
			n += leaves(below)
		}
	}
	return n
}

// TestFilters_58KiBOfEmptyOnes_OneFault repeats a body that took seven seconds.
func TestFilters_58KiBOfEmptyOnes_OneFault(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
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

// TestFaultyBodies_EveryRoute_CostAsMuchAsAValidPush fills every object and list that a body
// can have with faults. The cost grows with the length of the body, is a small multiple of
// that of a valid push of that length, beside that of the faults that are listed, and the
// answer is bounded. It runs alone, since it
// measures what the whole process allocates.
func TestFaultyBodies_EveryRoute_CostAsMuchAsAValidPush(t *testing.T) { //nolint:paralleltest // see above
	// An entry of a collection costs what a resource does, however short it is, so their
	// number is bounded as by default: one for 64 bytes of a body.
	const size, slack, entry = 16 << 10, 512 << 10, 64
	const listed = 2 << 10 // for a fault that is listed, with its path and its place in the tree
	f := onMemory(t, func(o *httpapi.Options) { o.MaxResources = 2 * size / entry })
	valid, out := f.work(t, http.MethodPost, "/customers/push_data?dry_run=true", validPush(2*size))
	require.Equal(t, http.StatusOK, out.Code, out.Body)
	before := rows(t, f.store)
	stride := race.Slowness(7)
	asked, all, seen := 0, 0, map[string]bool{} // a part that several routes have is filled for one of them
	for _, op := range operations() {
		schema := f.own.body(op.path, op.method)
		if schema == nil || op.method != http.MethodPost { // PATCH and DELETE have the body of POST
			continue
		}
		for _, h := range holes(f.own, schema, hole{name: op.path}, seen) {
			if all++; (all-1)%stride != 0 {
				continue
			}
			for _, row := range []struct {
				object  bool
				element string
			}{{true, "0"}, {false, "0"}, {false, "{}"}, {false, "{}" + strings.Repeat(" ", entry)}} {
				name := fmt.Sprintf("%s: %s, object %v", h.name, row.element, row.object)
				once, _ := f.work(t, op.method, op.path, h.fill(size, row.object, row.element))
				twice, out := f.work(t, op.method, op.path, h.fill(2*size, row.object, row.element))
				for range 3 { // something else may have allocated
					if twice <= 5*once/2+slack {
						break
					}
					again, _ := f.work(t, op.method, op.path, h.fill(2*size, row.object, row.element))
					twice = min(twice, again)
				}
				require.LessOrEqual(t, twice, 5*once/2+slack, name)
				require.LessOrEqual(t, twice, 3*valid+mostListed*listed, name)
				require.LessOrEqual(t, out.Body.Len(), mostAnswer, name)
				require.Less(t, out.Code, 500, name)
				asked++
			}
		}
	}
	require.Greater(t, asked, 400/stride)
	require.LessOrEqual(t, len(rows(t, f.store)), len(before)+100, "a few of the bodies are valid, such as an empty profile")
}

// TestFaultyBodies_AtTheSizeLimit_HaveBoundedAnswers sends bodies as long as they may be.
func TestFaultyBodies_AtTheSizeLimit_HaveBoundedAnswers(t *testing.T) { //nolint:paralleltest // it measures what the process allocates
	const small, entry = 1 << 20, 64
	large := 4 << 20
	if race.Enabled {
		large = 2 << 20
	}
	f := onMemory(t, func(o *httpapi.Options) { o.MaxBodyBytes, o.MaxResources = int64(large), large/entry })
	pad := strings.Repeat(" ", entry)
	validLarge, out := f.work(t, http.MethodPost, "/customers/push_data?dry_run=true", validPush(large))
	require.Equal(t, http.StatusOK, out.Code)
	validSmall, _ := f.work(t, http.MethodPost, "/customers/push_data?dry_run=true", validPush(small))
	for i, row := range []struct {
		path    string
		hole    hole
		object  bool
		element string
		size    int
	}{
		{"/customers/push_data", hole{before: `{"customer_key":"c","rooms":`, after: "}"}, false, "{}" + pad, large - 100},
		{"/customers/push_data", hole{before: `{"customer_key":"c","rooms":`, after: "}"}, false, "{}", large - 10},
		{"/customers/push_data", hole{before: `{"customer_key":"c","rooms":`, after: "}"}, false, `{"room_key":"","name":0}` + pad, large - 100},
		{"/customers/push_data", hole{}, true, "0", large - 50},
		{"/customers/push_data", hole{before: `{"customer_key":"c","rooms":[{"room_key":"1","name":"1"},`, after: "]}"}, true, "0", large - 50},
		{"/customers/sync_data", hole{before: `{"customer_key":"c","reservations":`, after: "}"}, false, `{"ends_at":"x"}` + pad, large - 100},
		{"/customers/create_portal", hole{before: `{"customer_data":{"customer_key":"c","rooms":`, after: "}}"}, false, "{}" + pad, large - 100},
		{"/customers/create_portal", hole{before: `{"customer_data":{"customer_key":"c","rooms":`, after: "}}"}, false, "0" + pad, large - 100},
		{"/customers/create_portal", hole{before: `{"customer_key":"c","customer_resources_filters":`, after: "}"}, false, "{}", small - 10},
		{"/customers/create_portal", hole{before: `{"customer_key":"c","features":`, after: "}"}, true, "0", small - 50},
		{"/customers/delete_data", hole{before: `{"room_keys":`, after: "}"}, false, "0", large - 10},
		{"/customers/plan_delete", hole{before: `{"room_keys":`, after: "}"}, false, `""`, large - 10},
		{"/spaces/list", hole{}, true, "0", small - 50},
		{"/user_identities/list", hole{before: `{"user_identity_ids":`, after: "}"}, false, "0", small - 10},
		{"/access_grants/list", hole{before: `{"access_grant_ids":`, after: "}"}, false, `""`, small - 10},
		{"/workspaces/customization_profiles/create", hole{before: `{"message_overrides":{"en-US":`, after: "}}"}, true, "0", small - 50},
		{"/workspaces/customization_profiles/create", hole{before: `{"message_overrides":{"en-US":`, after: "}}"}, true, `""`, small - 50},
		{"/workspaces/customization_profiles/create", hole{before: `{"message_overrides":`, after: "}"}, true, `{}`, small - 50},
	} {
		if i%race.Slowness(3) != 0 {
			continue
		}
		name := fmt.Sprintf("%s %s %s", row.path, row.hole.before, row.element)
		valid := validLarge
		if row.size < large/2 {
			valid = validSmall
		}
		bytes, out := f.work(t, http.MethodPost, row.path, row.hole.fill(row.size, row.object, row.element))
		require.LessOrEqual(t, bytes, 3*valid, name)
		require.LessOrEqual(t, out.Body.Len(), mostAnswer, name)
		var answer document
		require.NoError(t, json.Unmarshal(out.Body.Bytes(), &answer))
		require.LessOrEqual(t, len(list(answer.at("warnings"))), mostListed+1, name)
		if out.Code != http.StatusBadRequest { // unknown members are warnings; no such customer
			require.Contains(t, []int{http.StatusOK, http.StatusNotFound}, out.Code, name)
			continue
		}
		listed := leaves(answer.at("error", "validation_errors"))
		require.True(t, listed > 0 || strings.Contains(out.Body.String(), "too many entries"), name)
		require.LessOrEqual(t, listed, mostListed, name)
		if listed == mostListed {
			require.Regexp(t, `and \d{4,} more \(validation_errors lists the first 10000 and omits \d{4,}\)`, answer.at("error", "message"), name)
		}
	}
}

// TestFaults_BeyondTheListed_AreCounted counts the faults that an answer leaves out.
func TestFaults_BeyondTheListed_AreCounted(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	var members []string
	for i := range 60_000 {
		members = append(members, fmt.Sprintf(`"a%d": 0`, i))
	}
	rooms := strings.TrimSuffix(strings.Repeat("{},", 100_000), ",")
	for path, row := range map[string]struct{ body, more string }{
		"/workspaces/customization_profiles/create": {`{"message_overrides": {"en-US": {` + strings.Join(members, ",") + `}}}`, "; and 59997 more (validation_errors lists the first 10000 and omits 50000)"},
		"/customers/push_data":                      {`{"customer_key": "c", "rooms": [` + rooms + `]}`, "; and 99997 more (validation_errors lists the first 10000 and omits 90000)"},
		"/customers/create_portal":                  {`{"customer_data": {"customer_key": "c", "rooms": [` + rooms + `]}}`, "; and 99997 more (validation_errors lists the first 10000 and omits 90000)"},
		"/customers/plan_delete":                    {`{"room_keys": [` + strings.TrimSuffix(strings.Repeat(`"",`, 100_000), ",") + `]}`, "; and 99997 more (validation_errors lists the first 10000 and omits 90000)"},
		"/customers/delete_data":                    {`{` + strings.Join(members, ",") + `}`, "; and 59998 more (validation_errors lists the first 10000 and omits 50001)"},
	} {
		out := f.refused(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, row.body)
		message := out.at("error", "message").(string)
		require.True(t, strings.HasSuffix(message, row.more), message)
		require.Equal(t, mostListed, leaves(out.at("error", "validation_errors")))
	}
	var unknown []string
	for i := range 15_000 {
		unknown = append(unknown, fmt.Sprintf(`"x%d": 0`, i))
	}
	out := f.post(t, "/customers/push_data", `{"customer_key": "c", `+strings.Join(unknown, ",")+`}`)
	warnings := list(out.body["warnings"])
	require.Len(t, warnings, mostListed+1)
	require.Equal(t, map[string]any{"path": "", "rule": "left_out", "message": "5000 more warnings were found and are not listed"}, warnings[mostListed])
}

// TestTimeout_InTheBody_StopsTheReading lets the time of a request pass, or its client
// leave, while its body is read.
func TestTimeout_InTheBody_StopsTheReading(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	const after = 256 << 10
	for _, op := range operations() {
		if f.own.body(op.path, op.method) == nil {
			continue
		}
		for _, head := range []string{`{"customer_key": "c", "rooms": [{}`, `{"customer_data": {"rooms": [{}`, `{"user_identity_ids": [{}`} {
			late := newExpiring(t.Context())
			gone, leave := context.WithCancel(t.Context())
			defer leave()
			for ctx, done := range map[context.Context]func(){late: late.expire, gone: leave} {
				body := &repeat{text: ",{}", left: 3 * (8 << 20)}
				stop := &stopAfter{Reader: io.MultiReader(strings.NewReader(head), body), left: after, stop: done}
				r := httptest.NewRequestWithContext(ctx, op.method, op.path, stop)
				r.Header.Set("Authorization", "Bearer "+keyA)
				r.Header.Set("Content-Type", "application/json")
				r.ContentLength = -1
				out := f.answer(t, r)
				want := map[context.Context]int{late: http.StatusRequestTimeout, gone: 499}[ctx]
				require.Equal(t, want, out.status, "%s %s: %s", op.method, op.path, out.raw)
				require.Less(t, body.read, int64(2<<20), "%s %s", op.method, op.path)
			}
		}
	}
	require.Empty(t, rows(t, f.store))
}

// stopAfter is a body that calls stop once so many bytes were read.
type stopAfter struct {
	io.Reader
	left int
	stop func()
}

func (s *stopAfter) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p[:min(len(p), 64<<10)])
	if s.left -= n; s.left < 0 {
		s.stop()
	}
	return n, err
}

// TestTimeout_BeforeTheRequest_ReadsNothing asks for every operation when its time has
// already passed.
func TestTimeout_BeforeTheRequest_ReadsNothing(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, op := range operations() {
		if op.path == "/openapi.json" {
			continue
		}
		body := &repeat{text: " ", left: 1 << 20}
		target := op.path
		var r *http.Request
		if f.own.body(op.path, op.method) != nil {
			r = httptest.NewRequestWithContext(ctx, op.method, target, body)
			r.Header.Set("Content-Type", "application/json")
		} else {
			r = httptest.NewRequestWithContext(ctx, op.method, target+"?customer_key=c&room_keys=r&space_key=s&user_identity_key=u&access_grant_key=a&customer_portal_id=00000000-0000-4000-8000-000000000001&customization_profile_id=00000000-0000-4000-8000-000000000001", nil)
		}
		r.Header.Set("Authorization", "Bearer "+keyA)
		out := f.answer(t, r)
		if f.own.body(op.path, op.method) != nil {
			require.Equal(t, 499, out.status, "%s %s: %s", op.method, op.path, out.raw)
			require.Zero(t, body.read, "%s %s", op.method, op.path)
		} else {
			require.GreaterOrEqual(t, out.status, 400, "%s %s: %s", op.method, op.path, out.raw)
		}
	}
}

// expiring is a context whose deadline passes when expire is called. The contexts made from
// it have passed too when expire returns.
type expiring struct {
	context.Context
	mu    sync.Mutex
	done  chan struct{}
	after []func()
}

func newExpiring(ctx context.Context) *expiring {
	return &expiring{Context: ctx, done: make(chan struct{})}
}

func (e *expiring) expire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.Err() == nil {
		close(e.done)
		for _, f := range e.after {
			f()
		}
	}
}

// AfterFunc is called by package context to register a child.
func (e *expiring) AfterFunc(f func()) (stop func() bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.after = append(e.after, f)
	return func() bool { return false }
}

func (e *expiring) Done() <-chan struct{} { return e.done }

func (e *expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
