package badger

import (
	"fmt"
	"path/filepath"

	"github.com/customerportal-go/customerportal/storage/internal/commitmark"
)

// The file COMMITS stores the timestamp of the newest commit on disk, because the engine
// silently drops everything after a corruption in a log. Open detects a log that ends too
// early before the engine reads it. It detects a gap inside a log by the parts that are
// missing: see parts.go.
//
// After Open has found that commits are missing, it records that in the file. The engine may
// have moved the rows of the logs to tables since then, where the gap can no longer be
// detected.
const markName = "COMMITS"

var markFormat = commitmark.Format{
	Backend:  "storage/badger",
	Magic:    "cpm2",
	OldMagic: "cpm1", // format version 1
	OldErr:   fmt.Errorf("%w: the directory has version 1, this package supports only version %d", ErrVersion, formatVersion),
}

// readMark reads the commit mark of a directory.
func readMark(dir string) (commitmark.Mark, error) {
	return markFormat.Read(commitmark.OS{}, filepath.Join(dir, markName))
}
