package lockplan

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/device"
)

// ErrNoPIN is returned by [GeneratePIN] if it found no PIN that all locks accept.
var ErrNoPIN = errors.New("lockplan: no PIN that all locks accept was found")

// maxPINTries is the number of random PINs that GeneratePIN examines.
const maxPINTries = 10_000

// GeneratePIN returns a random PIN that obeys the rules of all locks and that taken does not report. It never returns a trivial PIN.
// It uses the smallest length of 4 to 9 digits that all locks accept, and 4 digits if there are no locks. random is crypto/rand.Reader
// outside of tests. It returns [ErrNoPIN] if the locks have no length in common or if it found none after many attempts.
func GeneratePIN(random io.Reader, locks []device.CodeLimits, taken func(device.Secret) bool) (device.Secret, error) {
	length, err := commonLength(locks)
	if err != nil {
		return device.Secret{}, err
	}
	text, one := make([]byte, 0, length), make([]byte, 1)
	for range maxPINTries {
		for text = text[:0]; len(text) < length; {
			if _, err := io.ReadFull(random, one); err != nil {
				return device.Secret{}, fmt.Errorf("lockplan: reading random bytes: %w", err)
			}
			if one[0] < 250 { // so that each digit is equally likely
				text = append(text, '0'+one[0]%10)
			}
		}
		pin := device.NewSecret(string(text))
		if !Trivial(pin) && !taken(pin) && !slices.ContainsFunc(locks, func(l device.CodeLimits) bool { return l.CheckPIN(pin) != nil }) {
			return pin, nil
		}
	}
	return device.Secret{}, ErrNoPIN
}

func commonLength(locks []device.CodeLimits) (int, error) {
	for length := 4; length <= 9; length++ {
		if !slices.ContainsFunc(locks, func(l device.CodeLimits) bool { return !slices.Contains(l.Lengths, length) }) {
			return length, nil
		}
	}
	return 0, fmt.Errorf("%w: they have no length of 4 to 9 digits in common", ErrNoPIN)
}

// Trivial reports whether a PIN is easy to guess: all digits are the same, the digits ascend or descend by one, or the PIN repeats
// its first one or two digits, as in 1212.
func Trivial(pin device.Secret) bool {
	text := pin.Reveal()
	if len(text) < 2 {
		return true
	}
	ascends, descends, repeats := true, true, true
	for i := 1; i < len(text); i++ {
		ascends = ascends && text[i] == text[i-1]+1
		descends = descends && text[i] == text[i-1]-1
	}
	for i := 2; i < len(text); i++ {
		repeats = repeats && text[i] == text[i-2]
	}
	return ascends || descends || repeats || strings.Count(text, text[:1]) == len(text)
}
