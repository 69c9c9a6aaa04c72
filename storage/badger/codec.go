package badger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/storage"
)

// Every row of the engine begins with one byte that says whose it is. With it an
// empty key is not empty to the engine, and one that begins with "!badger!" is
// not taken for the engine's own.
const (
	internalSpace byte = 0x00 // rows of this package
	dataSpace     byte = 0x01 // rows of the store
	dataSpaceEnd  byte = 0x02 // greater than every key in dataSpace
)

// formatVersion names the layout of rows that this file describes.
const (
	formatVersion = 2
	formatName    = "customerportal storage/badger "
)

// formatRow holds formatName and the version in decimal, sealed like any row.
var formatRow = []byte{internalSpace, 'f', 'o', 'r', 'm', 'a', 't'}

const crcBytes = crc32.Size

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// dataRow is the engine's key for key.
func dataRow[K string | []byte](key K) []byte {
	row := make([]byte, 0, len(key)+1)
	row = append(row, dataSpace)
	return append(row, key...)
}

// seal returns what is stored for value under row: the value, and a CRC-32C of
// row and value. The engine checks its blocks only on request, and its iterators
// have no way to report an error.
func seal(row, value []byte) []byte {
	sealed := make([]byte, 0, len(value)+crcBytes)
	sealed = append(sealed, value...)
	return binary.BigEndian.AppendUint32(sealed, checksum(row, value))
}

// unseal returns the value in sealed, without copying it.
func unseal(row, sealed []byte) ([]byte, error) {
	value, ok := stripChecksum(sealed)
	if !ok || checksum(row, value) != binary.BigEndian.Uint32(sealed[len(value):]) {
		return nil, fmt.Errorf("storage/badger: a row does not match its checksum: %w", storage.ErrCorrupt)
	}
	return value, nil
}

// trim cuts the checksum off.
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

// clone returns a copy that is never nil, as an empty value must not be.
func clone(value []byte) []byte {
	return append(make([]byte, 0, len(value)), value...)
}

// checkFormat says whether sealed, the content of formatRow, names this format.
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
		return fmt.Errorf("%w: it has version %d, this package reads version %d", ErrVersion, version, formatVersion)
	}
	return nil
}
