package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/keys"
)

// keysFile writes a file with the given contents and mode, and returns its path.
func keysFile(t *testing.T, contents string, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(name, []byte(contents), 0o600))
	require.NoError(t, os.Chmod(name, mode))
	return name
}

func TestLoadKeys_ValidForms_TheFirstIsActive(t *testing.T) {
	t.Parallel()
	a, b := testMaster(1), testMaster(2)
	for name, contents := range map[string]string{
		"lines":    "3:" + a + "\n0:" + b + "\n",
		"no end":   "3:" + a + "\n0:" + b,
		"CRLF":     "3:" + a + "\r\n0:" + b + "\r\n",
		"spaces":   " 3 : " + a + "\t\n\n  0:" + b + "  \n\n",
		"comments": "# made in May\n3:" + a + " # active\n#5:" + a + "\n0:" + b + "#old\n",
		"zeros":    "03:" + a + "\n00:" + b + "\n",
	} {
		ring, warning, err := loadKeys(keysFile(t, contents, 0o600), "")
		require.NoError(t, err, name)
		require.Empty(t, warning, name)
		requireKeys(t, ring, a, b)
	}
	for _, value := range []string{"3:" + a + ",0:" + b, " 3:" + a + " , 0:" + b + " "} {
		ring, warning, err := loadKeys("", value)
		require.NoError(t, err, value)
		require.Empty(t, warning)
		requireKeys(t, ring, a, b)
	}
	ring, warning, err := loadKeys("", "")
	require.NoError(t, err)
	require.Nil(t, ring)
	require.Empty(t, warning)
}

// requireKeys requires that a ring has the master active in slot 3, which is active, and the master old in slot 0.
func requireKeys(t *testing.T, ring *keys.Ring, active, old string) {
	t.Helper()
	require.Equal(t, 3, ring.Active())
	require.Equal(t, []int{0, 3}, ring.Slots())
	decode := func(text string) []byte {
		master, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		return master
	}
	want, err := keys.New(3, map[int][]byte{3: decode(active), 0: decode(old)})
	require.NoError(t, err)
	for _, slot := range []int{0, 3} {
		key, err := ring.Key(slot, keys.PurposeLink)
		require.NoError(t, err)
		wanted, err := want.Key(slot, keys.PurposeLink)
		require.NoError(t, err)
		require.Equal(t, wanted, key)
	}
}

func TestLoadKeys_InvalidForms_ErrorNamesThePlaceAndNoKey(t *testing.T) {
	t.Parallel()
	a := testMaster(1)
	const form = "must be SLOT:BASE64, where SLOT is a number from 0 to 31"
	const size = "must be 32 bytes in base64, as openssl rand -base64 32 prints them"
	for contents, want := range map[string]string{
		"":                                   "there are no keys; write SLOT:BASE64",
		"# only a comment\n":                 "there are no keys; write SLOT:BASE64",
		"\n# x\n" + a:                        "line 3 " + form,
		":" + a:                              "line 1 " + form,
		"-1:" + a:                            "line 1 " + form,
		"+1:" + a:                            "line 1 " + form,
		"32:" + a:                            "line 1 " + form,
		"256:" + a:                           "line 1 " + form,
		"a:" + a:                             "line 1 " + form,
		"0:":                                 "line 1: the key in slot 0 " + size,
		"0:" + a[:40]:                        "line 1: the key in slot 0 " + size,
		"0:" + a + a:                         "line 1: the key in slot 0 " + size,
		"0:" + strings.TrimRight(a, "="):     "line 1: the key in slot 0 " + size,
		"0:" + a[:20] + " " + a[20:]:         "line 1: the key in slot 0 " + size,
		"0:" + a[:42] + "F=":                 "line 1: the key in slot 0 " + size, // bits after the last byte
		"0:" + a + ",1:" + a:                 "line 1: the key in slot 0 " + size,
		"0:" + a + "\n1:x":                   "line 2: the key in slot 1 " + size,
		"0:" + a + "\n\n00:" + a:             "line 3: slot 0 has a key in line 1 already",
		"0:" + strings.Repeat("A", 43) + "=": "the master in slot 0 repeats a single byte",
	} {
		file := keysFile(t, contents, 0o600)
		ring, _, err := loadKeys(file, "")
		require.ErrorContains(t, err, "-keys "+file+": ", contents)
		require.ErrorContains(t, err, want, contents)
		require.NotContains(t, err.Error(), a[:20])
		require.Nil(t, ring)
	}
	for value, want := range map[string]string{
		"0:" + a + ",":        "CUSTOMERPORTAL_KEYS: entry 2 " + form,
		"0:" + a + ",0:" + a:  "CUSTOMERPORTAL_KEYS: entry 2: slot 0 has a key in entry 1 already",
		" ":                   "CUSTOMERPORTAL_KEYS: entry 1 " + form,
		"0:" + a + "\n1:" + a: "CUSTOMERPORTAL_KEYS: entry 1: the key in slot 0 " + size,
	} {
		_, _, err := loadKeys("", value)
		require.EqualError(t, err, want)
	}
	_, _, err := loadKeys(t.TempDir(), "")
	require.ErrorContains(t, err, "is a directory")
}

func TestLoadKeys_OthersMayReadOrChangeTheFile_Warns(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode")
	}
	for mode, warns := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: false, 0o644: true, 0o604: true, 0o602: true, 0o660: true, 0o444: true} {
		file := keysFile(t, "0:"+testMaster(1), mode)
		_, warning, err := loadKeys(file, "")
		require.NoError(t, err)
		if warns {
			require.Contains(t, warning, "-keys "+file+": other users can read or change the master keys")
		} else {
			require.Empty(t, warning, "%#o", mode)
		}
	}
}

func TestServe_KeysFileThatOthersMayRead_LogsAWarning(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode")
	}
	file := keysFile(t, "5:"+testMaster(1), 0o644)
	variables := complete()
	delete(variables, keysVariable)
	s := start(t, variables, stores, "-store", "memory:", "-keys", file)
	require.Contains(t, s.stderr.String(), "because its mode is 0644; use chmod 600")
	require.Regexp(t, `/portal/5[0-9a-z]{32}$`, s.makePortal(testAPIKey))
	s.stop()
}
