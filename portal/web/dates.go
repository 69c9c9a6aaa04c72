package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/internal/wallclock"
)

// golang.org/x/text has no dates, so this is the table of them, after CLDR. In a
// pattern d is the day, M the month in short, y the year and E the weekday in short.
type dateWords struct {
	date, weekday string // patterns
	hour12        bool
	months, days  string // days begin with Sunday
}

var dates = map[string]dateWords{
	"en-US": {"M d, y", "E, M d, y", true, "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", "Sun Mon Tue Wed Thu Fri Sat"},
	"pt-PT": {"d M y", "E, d M y", false, "jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez.", "dom. seg. ter. qua. qui. sex. sáb."},
	"fr-FR": {"d M y", "E d M y", false, "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.", "dim. lun. mar. mer. jeu. ven. sam."},
	"it-IT": {"d M y", "E d M y", false, "gen feb mar apr mag giu lug ago set ott nov dic", "dom lun mar mer gio ven sab"},
	"es-ES": {"d M y", "E, d M y", false, "ene feb mar abr may jun jul ago sept oct nov dic", "dom lun mar mié jue vie sáb"},
	"de-DE": {"d. M y", "E, d. M y", false, "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.", "So Mo Di Mi Do Fr Sa"},
	"nl-NL": {"d M y", "E d M y", false, "jan feb mrt apr mei jun jul aug sep okt nov dec", "zo ma di wo do vr za"},
	"el-GR": {"d M y", "E d M y", false, "Ιαν Φεβ Μαρ Απρ Μαΐ Ιουν Ιουλ Αυγ Σεπ Οκτ Νοε Δεκ", "Κυρ Δευ Τρί Τετ Πέμ Παρ Σάβ"},
	"pl-PL": {"d M y", "E, d M y", false, "sty lut mar kwi maj cze lip sie wrz paź lis gru", "niedz. pon. wt. śr. czw. pt. sob."},
	"ru-RU": {"d M y г.", "E, d M y г.", false, "янв. февр. мар. апр. мая июн. июл. авг. сент. окт. нояб. дек.", "вс пн вт ср чт пт сб"},
}

// format writes a day by a pattern.
func (d dateWords) format(pattern string, t time.Time) string {
	return strings.NewReplacer(
		"E", strings.Fields(d.days)[t.Weekday()], "M", strings.Fields(d.months)[t.Month()-1],
		"d", fmt.Sprint(t.Day()), "y", fmt.Sprint(t.Year()),
	).Replace(pattern)
}

// date writes a day, such as "Mon, Jun 16, 2025".
func (s *speech) date(t time.Time) string {
	d := dates[s.locale]
	return d.format(d.weekday, t)
}

// shortDate writes a day without its weekday.
func (s *speech) shortDate(t time.Time) string {
	d := dates[s.locale]
	return d.format(d.date, t)
}

// clock writes a time of day. One that clocks show twice on its day, when they are set
// back, also says which of the two it is, as in "02:30 CET".
func (s *speech) clock(t time.Time) string {
	form := "15:04"
	if dates[s.locale].hour12 {
		form = "3:04 PM"
	}
	if wallclock.Repeated(t) {
		form += " MST"
	}
	return t.Format(form)
}
