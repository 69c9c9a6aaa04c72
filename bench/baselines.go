package main

import (
	"context"
	"fmt"
)

const (
	sqliteName   = "SQLite (modernc), 50 rows a statement"
	mattnName    = "SQLite (mattn), 50 rows a statement"
	postgresName = "SQL by hand on PostgreSQL"
)

// sqlBaselines returns contenders that do the work with SQL: SQLite with each driver, and PostgreSQL if there is a server.
func (b *bench) sqlBaselines(ctx context.Context, inSQLite func(*sqlite) (laps, error), inPostgres func(*handwritten) (laps, error)) []contender {
	names := map[string]string{moderncDriver: sqliteName, mattnDriver: mattnName}
	var out []contender
	for _, driver := range sqliteDrivers(ctx) {
		out = append(out, contender{names[driver], onSQLite(ctx, driver, manyRows, false, inSQLite)})
	}
	s, err := b.startedServer()
	if err != nil {
		b.progress("  without PostgreSQL: %v", err)
		return out
	}
	return append(out, contender{postgresName, s.onHandwritten(ctx, false, inPostgres)})
}

// compare returns a row for each backend and each baseline that was measured. A ratio is the speed of the library divided by
// that of the baseline. The goals apply to the first baseline.
func (t times) compare(work string, against []string, libraryLap, baselineLap string, g goals, text func(seconds float64) string) (rows []row) {
	for i, baseline := range against {
		if len(t[baseline]) == 0 {
			continue
		}
		for _, be := range backends {
			r := row{work: work, on: be.name, against: baseline, goal: none(), measured: t.ratio(baseline, baselineLap, be.name, libraryLap),
				detail: fmt.Sprintf("%s against %s", text(t.seconds(be.name, libraryLap)), text(t.seconds(baseline, baselineLap)))}
			if i == 0 {
				r.goal = g.of(be.name)
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// perSecond returns a function that formats the rate of n items in a time.
func perSecond(n int) func(seconds float64) string {
	return func(seconds float64) string { return rateText(float64(n) / seconds) }
}
