package storage_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

func TestPrefix_AnyKey_IsInRangeIfItHasThePrefix(t *testing.T) {
	t.Parallel()
	words := []string{"", "\x00", "a", "a\x00", "a\xfe", "a\xff", "a\xff\xff", "a\xffb", "b", "\xfe", "\xff", "\xff\x00", "\xff\xff"}
	for _, p := range words {
		r := storage.Prefix([]byte(p))
		for _, k := range words {
			within := k >= string(r.Start) && (len(r.End) == 0 || k < string(r.End))
			require.Equal(t, strings.HasPrefix(k, p), within, "key %q, prefix %q", k, p)
		}
	}
}

func TestPrefix_CallerChangesEnd_ArgumentIsUnchanged(t *testing.T) {
	t.Parallel()
	p := []byte("ab\xff")
	end := storage.Prefix(p).End
	require.Equal(t, "ac", string(end))
	end = append(end, "more"...)
	end[0] = 'X'
	require.Equal(t, "ab\xff", string(p))
}

func TestErrTooLarge_KeyAndValueErrors_Match(t *testing.T) {
	t.Parallel()
	kinds := []error{storage.ErrKeyTooLarge, storage.ErrValueTooLarge}
	for i, err := range kinds {
		require.ErrorIs(t, err, storage.ErrTooLarge)
		require.NotErrorIs(t, err, kinds[(i+1)%len(kinds)])
	}
}

func TestEntryBytes_KeyAndValue_AddsOverhead(t *testing.T) {
	t.Parallel()
	overhead := storage.EntryBytes(nil, nil)
	require.Positive(t, overhead)
	require.Equal(t, overhead+3, storage.EntryBytes([]byte("abc"), nil))
	require.Equal(t, overhead+7, storage.EntryBytes([]byte("abc"), []byte("defg")))
}
