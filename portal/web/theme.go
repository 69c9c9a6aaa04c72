package web

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// A profile's colours are the host's own, and any at all. What is read on them, and what
// they are read on, is made to have the contrast that WCAG AA asks for.
const (
	readable = 4.5
	lively   = 6.5 // on dark surfaces, where the least would look faded
)

// Surfaces that a colour is read on, light and dark; the stylesheet has the same.
const (
	lightSurface = "#f6f5f2"
	darkSurface  = "#211f1d"
)

// defaultColor is the colour of a portal that has none of its own.
const defaultColor = "#1f4b43"

// rgb is a colour, each part from 0 to 1.
type rgb [3]float64

// parseColor reads "#rgb" or "#rrggbb"; false for anything else.
func parseColor(text string) (c rgb, ok bool) {
	digits, hash := strings.CutPrefix(text, "#")
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if !hash || err != nil || len(digits) != 6 {
		return c, false
	}
	for i, shift := range []int{16, 8, 0} {
		c[i] = float64(n>>shift&0xff) / 255
	}
	return c, true
}

// color is a colour of the theme or of this file, which are known to be ones.
func color(text string) rgb {
	c, ok := parseColor(text)
	if !ok {
		c, _ = parseColor(defaultColor)
	}
	return c
}

func (c rgb) String() string {
	at := func(x float64) int { return int(math.Round(x * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", at(c[0]), at(c[1]), at(c[2]))
}

// luminance is that of WCAG 2.
func (c rgb) luminance() float64 {
	linear := func(x float64) float64 {
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast is that of WCAG 2, from 1 to 21.
func contrast(a, b rgb) float64 {
	light, dark := a.luminance(), b.luminance()
	if light < dark {
		light, dark = dark, light
	}
	return (light + 0.05) / (dark + 0.05)
}

// mix is a colour on the way to another.
func (c rgb) mix(to rgb, part float64) (out rgb) {
	for i := range out {
		out[i] = c[i] + (to[i]-c[i])*part
	}
	return out
}

// as it is written, so that what is computed holds for what is seen.
func (c rgb) rounded() rgb { return color(c.String()) }

var (
	white = rgb{1, 1, 1}
	ink   = color("#14120f")
)

// on is a foreground that can be read on a background: the one that is wanted, where
// it can, and else white or ink.
func on(background rgb, wanted string) rgb {
	if c, ok := parseColor(wanted); ok && contrast(background, c) >= readable {
		return c
	}
	for _, c := range []rgb{white, ink} {
		if contrast(background, c) >= readable {
			return c
		}
	}
	return rgb{} // black, where white cannot be read
}

// against is a colour that can be read on a surface, no further from the one given than
// it has to be.
func against(c, surface rgb) rgb {
	to, least := rgb{}, readable
	if surface.luminance() < 0.18 {
		to, least = white, lively
	}
	for step := 0.0; step <= 1; step += 0.02 {
		if mixed := c.mix(to, step).rounded(); contrast(mixed, surface) >= least {
			return mixed
		}
	}
	return to
}

// theme serves the stylesheet with the portal's own colours and fonts.
func (v *visit) theme() {
	if v.r.Method == http.MethodPost {
		v.fail(http.StatusMethodNotAllowed, problem{Key: "method"})
		return
	}
	t := v.look.Theme
	primaryText := t.PrimaryColor
	if primaryText == "" {
		primaryText = defaultColor
	}
	primary := color(primaryText)
	secondary := primary
	if t.SecondaryColor != "" {
		secondary = color(t.SecondaryColor)
	}
	var b strings.Builder
	write := func(name string, value any) { fmt.Fprintf(&b, "--%s:%v;", name, value) }
	b.WriteString(":root{")
	write("brand", primary)
	write("on-brand", on(primary, t.PrimaryForegroundColor))
	write("accent", secondary)
	write("on-accent", on(secondary, t.SecondaryForegroundColor))
	write("brand-text", against(primary, color(lightSurface)))
	write("tint", primary.mix(white, 0.9).rounded())
	write("on-tint", against(primary, primary.mix(white, 0.9).rounded()))
	if t.FontFamily != "" {
		write("font", fontList(t.FontFamily)+", system-ui, sans-serif")
	}
	if t.MonoFontFamily != "" {
		write("mono", fontList(t.MonoFontFamily)+", ui-monospace, monospace")
	}
	b.WriteString("}@media(prefers-color-scheme:dark){:root{")
	write("brand-text", against(primary, color(darkSurface)))
	tint := primary.mix(color(darkSurface), 0.75).rounded()
	write("tint", tint)
	write("on-tint", against(primary, tint))
	b.WriteString("}}\n")
	v.respond(http.StatusOK, "text/css; charset=utf-8", []byte(b.String()))
}

// fontList is a list of font names as CSS has it, whatever is in them. Generic names stay words.
func fontList(names string) string {
	var out []string
	for _, name := range strings.Split(names, ",") {
		name = strings.Trim(strings.TrimSpace(name), `'"`)
		clean := strings.Map(func(r rune) rune {
			if r == '\'' || r == '"' || r == '\\' {
				return -1
			}
			return r
		}, name)
		switch clean {
		case "":
		case "serif", "sans-serif", "monospace", "system-ui", "ui-monospace", "ui-sans-serif", "ui-serif", "cursive":
			out = append(out, clean)
		default:
			out = append(out, `"`+clean+`"`)
		}
	}
	return strings.Join(out, ", ")
}
