package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/keys"
)

const keysVariable = "CUSTOMERPORTAL_KEYS"

// loadKeys returns the keys in a file or in the value of the variable, or nil if there are neither. The warning is empty if the
// permissions of the file are good. Errors and warnings contain no part of a key.
func loadKeys(file, variable string) (ring *keys.Ring, warning string, err error) {
	switch {
	case file != "" && variable != "":
		return nil, "", fmt.Errorf("-keys and %s are both set; set one of them", keysVariable)
	case variable != "":
		var entries []keyEntry
		for text := range strings.SplitSeq(variable, ",") {
			entries = append(entries, keyEntry{fmt.Sprintf("entry %d", len(entries)+1), strings.TrimSpace(text)})
		}
		if ring, err = parseKeys(entries); err != nil {
			err = fmt.Errorf("%s: %w", keysVariable, err)
		}
		return ring, "", err
	case file != "":
		text, warning, err := readKeysFile(file)
		if err == nil {
			ring, err = parseKeys(keyLines(text))
		}
		if err != nil {
			return nil, "", fmt.Errorf("-keys %s: %w", file, err)
		}
		return ring, warning, nil
	}
	return nil, "", nil
}

// generateKeys returns a ring with a random master in slot 0.
func generateKeys() (*keys.Ring, error) {
	master, err := keys.NewMaster()
	if err != nil {
		return nil, err
	}
	return keys.New(0, map[int][]byte{0: master})
}

// readKeysFile returns the contents of a file, and a warning if other users may read or change it.
func readKeysFile(name string) (text, warning string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", "", withoutPath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", "", withoutPath(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return "", "", withoutPath(err)
	}
	const others = 0o006 | 0o020 // the group may read the file, so that it can belong to the administrator
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&others != 0 && runtime.GOOS != "windows" {
		warning = fmt.Sprintf("-keys %s: other users can read or change the master keys, because its mode is %#o; use chmod 600", name, mode.Perm())
	}
	return string(b), warning, nil
}

// withoutPath returns the cause of an error of package os, for a message that already names the path.
func withoutPath(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}

// keyEntry is the text of a slot and its master, with its place in the file or variable.
type keyEntry struct {
	place string
	text  string
}

// keyLines returns the entries of a file. It has one entry in a line, empty lines, and comments that begin with "#".
func keyLines(text string) (entries []keyEntry) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			entries = append(entries, keyEntry{fmt.Sprintf("line %d", number), line})
		}
	}
	return entries
}

// parseKeys returns the ring of entries of the form SLOT:BASE64. The first one is active.
func parseKeys(entries []keyEntry) (*keys.Ring, error) {
	if len(entries) == 0 {
		return nil, errors.New("there are no keys; write SLOT:BASE64, for example with: echo 0:$(openssl rand -base64 32)")
	}
	active := -1
	masters := map[int][]byte{}
	places := map[int]string{}
	for _, entry := range entries {
		number, encoded, found := strings.Cut(entry.text, ":")
		slot, err := strconv.ParseUint(strings.TrimSpace(number), 10, 8)
		if !found || err != nil || slot >= keys.Slots {
			return nil, fmt.Errorf("%s must be SLOT:BASE64, where SLOT is a number from 0 to %d", entry.place, keys.Slots-1)
		}
		master, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(encoded))
		if err != nil || len(master) != keys.MasterBytes {
			return nil, fmt.Errorf("%s: the key in slot %d must be %d bytes in base64, as openssl rand -base64 %d prints them", entry.place, slot, keys.MasterBytes, keys.MasterBytes)
		}
		if before, found := places[int(slot)]; found {
			return nil, fmt.Errorf("%s: slot %d has a key in %s already", entry.place, slot, before)
		}
		masters[int(slot)], places[int(slot)] = master, entry.place
		if active < 0 {
			active = int(slot)
		}
	}
	return keys.New(active, masters)
}
