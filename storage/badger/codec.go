package badger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// The first byte of every row of the engine is a prefix. It allows an empty key, and keys
// that begin with "!badger!", which the engine reserves.
const (
	internalSpace byte = 0x00 // metadata of this package
	dataSpace     byte = 0x01 // rows of the store
	dataSpaceEnd  byte = 0x02 // greater than every key in dataSpace
)

const (
	// formatVersion is the version of the row format.
	formatVersion = 2
	formatName    = "customerportal storage/badger "
)

// formatRow contains formatName and the version in decimal, sealed like any other row.
var formatRow = []byte{internalSpace, 'f', 'o', 'r', 'm', 'a', 't'}

const crcBytes = crc32.Size

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// dataRow returns the row of the engine for key.
func dataRow[K string | []byte](key K) []byte {
	row := make([]byte, 0, len(key)+1)
	row = append(row, dataSpace)
	return append(row, key...)
}

// seal returns the stored form of value: the value and a CRC-32C of row and value. It is
// needed because the engine verifies its blocks only on request, and its iterators cannot
// report errors.
func seal(row, value []byte) []byte {
	sealed := make([]byte, 0, len(value)+crcBytes)
	sealed = append(sealed, value...)
	return binary.BigEndian.AppendUint32(sealed, checksum(row, value))
}

// sealedRow returns the row of the engine for a write to key, and its stored form, which is nil for a delete.
func sealedRow(key string, w overlay.Write) (row, sealed []byte) {
	row = dataRow(key)
	if !w.Deleted() {
		sealed = seal(row, w.Value)
	}
	return row, sealed
}

// unseal verifies sealed and returns its value without copying it.
func unseal(row, sealed []byte) ([]byte, error) {
	value, ok := stripChecksum(sealed)
	if !ok || checksum(row, value) != binary.BigEndian.Uint32(sealed[len(value):]) {
		return nil, fmt.Errorf("storage/badger: checksum mismatch of a row: %w", storage.ErrCorrupt)
	}
	return value, nil
}

// stripChecksum returns sealed without its checksum.
func stripChecksum(sealed []byte) ([]byte, bool) {
	n := len(sealed) - crcBytes
	if n < 0 {
		return nil, false
	}
	return sealed[:n:n], true
}

func checksum(row, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(row, castagnoli), castagnoli, value)
}

// clone returns a copy that is never nil, because an empty value must not be nil.
func clone(value []byte) []byte {
	return append(make([]byte, 0, len(value)), value...)
}

// checkFormat returns an error unless sealed, the value of formatRow, names this format.
func checkFormat(sealed []byte) error {
	text, err := unseal(formatRow, sealed)
	if err != nil {
		return err
	}
	number, ok := strings.CutPrefix(string(text), formatName)
	if !ok {
		return ErrForeign
	}
	version, err := strconv.Atoi(number)
	if err != nil {
		return ErrForeign
	}
	if version != formatVersion {
		return fmt.Errorf("%w: the directory has version %d, this package supports only version %d", ErrVersion, version, formatVersion)
	}
	return nil
}
