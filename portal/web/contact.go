package web

import (
	"fmt"
	"html/template"
	"net/mail"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// extension matches the end of a phone number that contains an extension, in the words of the languages of the pages.
var extension = regexp.MustCompile(`(?i)^(.*\d.*?)\s*[,;]?\s*(?:ext(?:ension|n)?\.?|x|#|poste|ramal|int(?:erno)?\.?|durchwahl|dw\.?|toestel|tst\.?|wew\.?|εσωτ\.?|доб\.?)\s*[=:.]?\s*(\d{1,7})$`)

// Bounds of the number of digits in a phone number. E.164 allows 15, and emergency numbers have 3.
const (
	minPhoneDigits = 3
	maxPhoneDigits = 15
)

// phoneLink returns the tel URI of RFC 3966 for a phone number in any common format: "(541) 639-5376 x7242" is
// "tel:5416395376;ext=7242". It returns "" for a text that is not a single number, such as "N/A" or two numbers
// separated by a slash.
func phoneLink(text string) template.URL {
	text = asciiDigits(norm.NFKC.String(text))
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r): // invisible direction marks, which address books add
			return -1
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Pd, r) || r == '\u2212':
			return '-'
		}
		return r
	}, text))
	if len(text) > 4 && strings.EqualFold(text[:4], "tel:") {
		text = strings.TrimSpace(text[4:])
	}
	ext := ""
	if found := extension.FindStringSubmatch(text); found != nil {
		text, ext = found[1], ";ext="+found[2]
	}
	number, plus := strings.CutPrefix(strings.TrimSpace(text), "+")
	if plus { // the national prefix is not dialled after a country code
		number = strings.Replace(number, "(0)", "", 1)
	}
	digits := 0
	for part := range strings.SplitSeq(number, "/") { // accept "030/123456", but not two numbers
		n := 0
		for _, r := range part {
			if r >= '0' && r <= '9' {
				n++
			}
		}
		if digits >= 6 && n >= 6 {
			return ""
		}
		digits += n
	}
	if digits < minPhoneDigits || digits > maxPhoneDigits || strings.Trim(number, "0123456789 -.()/") != "" || strings.ContainsAny(strings.Trim(number, " -.()/"), "+") {
		return ""
	}
	number = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, number)
	if strings.Trim(number, "0") == "" {
		return ""
	}
	if plus {
		number = "+" + number
	}
	return template.URL("tel:" + number + ext) //nolint:gosec // digits alone
}

// asciiDigits replaces the decimal digits of all scripts with ASCII digits. Each range of [unicode.Nd] consists of
// complete sequences from zero to nine.
func asciiDigits(text string) string {
	return strings.Map(func(r rune) rune {
		for _, digits := range unicode.Nd.R16 {
			if rune(digits.Lo) <= r && r <= rune(digits.Hi) {
				return '0' + (r-rune(digits.Lo))%10
			}
		}
		for _, digits := range unicode.Nd.R32 {
			if rune(digits.Lo) <= r && r <= rune(digits.Hi) {
				return '0' + (r-rune(digits.Lo))%10
			}
		}
		return r
	}, text)
}

// mailLink returns the mailto URI of RFC 6068 for an email address. It escapes reserved characters, so that an address
// cannot add a recipient, subject or body. It returns "" for a text that is not exactly one address.
func mailLink(text string) template.URL {
	text = strings.TrimSpace(text)
	address, err := mail.ParseAddress(text)
	if err != nil || address.Name != "" || address.Address != text {
		return ""
	}
	domain := text[strings.LastIndexByte(text, '@')+1:]
	if strings.ContainsFunc(domain, func(r rune) bool { return r != '.' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		return ""
	}
	var b strings.Builder
	b.WriteString("mailto:")
	for _, c := range []byte(text) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~+!$*@", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return template.URL(b.String()) //nolint:gosec // escaped
}
