package strictjson_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/strictjson"
)

var errNotJSON = errors.New("not JSON")

// read reads a document with Value.
func read(text string, bounds strictjson.Bounds) (any, error) {
	if bounds.Bytes == 0 {
		bounds.Bytes = math.MaxInt64
	}
	if bounds.Depth == 0 {
		bounds.Depth = 32
	}
	r := strictjson.New(strings.NewReader(text), bounds)
	v, err := r.Value()
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return nil, r.Wrap(err, errNotJSON)
	}
	return v, nil
}

func TestValue_ReturnsEveryKind(t *testing.T) {
	t.Parallel()
	v, err := read(` {"a": [null, true, false, "x\u00e9", 1.5, -2], "b": {}, "c": [], "d": 1e999} `, strictjson.Bounds{})
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"a": []any{nil, true, false, "xé", 1.5, -2.0}, "b": map[string]any{}, "c": []any{}, "d": math.Inf(1),
	}, v)
}

func TestValue_NotStrictJSON_IsRefused(t *testing.T) {
	t.Parallel()
	for text, message := range map[string]string{
		``:                        "ends too early, at byte 0",
		`{"a": `:                  "ends too early, at byte 4",
		`{} {}`:                   "byte 4: more than one value",
		`{"a": 1, "a": 2}`:        "byte 9 at /a: duplicate object member name",
		"{\"a\": \"\xff\"}":       "byte 7 at /a: invalid UTF-8",
		`{"a": 01}`:               "byte 7: invalid character '1' after object value (expecting ',' or '}')",
		`[[[[[]]]]]`:              "byte 5: nested too deep",
		`{"a": {"b": {"c": [[`:    "byte 20: nested too deep",
		`{"a": "0123456789abcd"}`: "longer than 20 bytes",
	} {
		_, err := read(text, strictjson.Bounds{Depth: 4, Bytes: 20})
		require.ErrorIs(t, err, errNotJSON, text)
		require.ErrorContains(t, err, message, text)
	}
}

// TestValue_BeyondTheBoundOfValues_StopsTheReading counts what Value reads, and not what is
// skipped.
func TestValue_BeyondTheBoundOfValues_StopsTheReading(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("[],", 1<<20)
	_, err := read(`[`+many+`[]]`, strictjson.Bounds{Values: 1000})
	require.ErrorIs(t, err, strictjson.ErrLarge)
	require.NotErrorIs(t, err, errNotJSON)

	r := strictjson.New(strings.NewReader(`{"skipped": [`+many+`[]], "a": [1, 2], "b": "`+strings.Repeat("x", 500)+`", "c": "`+strings.Repeat("x", 500)+`"}`),
		strictjson.Bounds{Bytes: math.MaxInt64, Depth: 8, Values: 600})
	read := map[string]any{}
	err = r.Object(func(name string) (err error) {
		if name == "skipped" {
			return r.Skip()
		}
		read[name], err = r.Value()
		return err
	})
	require.ErrorIs(t, err, strictjson.ErrLarge)
	require.Equal(t, []any{1.0, 2.0}, read["a"])
	require.Equal(t, strings.Repeat("x", 500), read["b"])
	require.Nil(t, read["c"])
}

func TestEntry_BeyondTheBound_IsAnError(t *testing.T) {
	t.Parallel()
	r := strictjson.New(strings.NewReader(`[1, 2, 3]`), strictjson.Bounds{Bytes: 100, Depth: 8, Entries: 2})
	read := 0
	err := r.Array(func(int) error {
		if err := r.Entry(); err != nil {
			return err
		}
		read++
		return r.Skip()
	})
	require.ErrorContains(t, r.Wrap(err, errNotJSON), "too many entries")
	require.Equal(t, 2, read)
}

func TestEmpty_ReportsNoValueAtAll(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{``: true, "  \n": true, `{}`: false, `nonsense`: false, `{`: false} {
		r := strictjson.New(strings.NewReader(text), strictjson.Bounds{Bytes: 100, Depth: 8})
		require.Equal(t, want, r.Empty(), text)
	}
	r := strictjson.New(iotest.ErrReader(errors.New("broken")), strictjson.Bounds{Bytes: 100, Depth: 8})
	require.False(t, r.Empty())
}

func TestWrap_ReaderFails_IsNotAboutTheJSON(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r := strictjson.New(iotest.ErrReader(broken), strictjson.Bounds{Bytes: 100, Depth: 8})
	_, err := r.Value()
	require.ErrorIs(t, r.Wrap(err, errNotJSON), broken)
	require.NotErrorIs(t, r.Wrap(err, errNotJSON), errNotJSON)
}

type offered struct{ name string }

func decodeOffered(r *strictjson.Reader, v *offered) error {
	token, err := r.Token()
	v.name = token.String()
	return err
}

var _ = strictjson.Register(decodeOffered)

func TestDecode_CallsTheRegisteredFunction(t *testing.T) {
	t.Parallel()
	r := strictjson.New(strings.NewReader(`"x"`), strictjson.Bounds{Bytes: 100, Depth: 8})
	var v offered
	require.NoError(t, strictjson.Decode(r, &v))
	require.Equal(t, "x", v.name)
	require.Panics(t, func() { _ = strictjson.Decode(r, new(int)) }, "not registered")
	require.Panics(t, func() { strictjson.Register(decodeOffered) }, "registered already")
}
