package access_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

func TestClimate_Stay_ThermostatIsPreconditionedAndSetBack(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{simulated.Thermostat("t1", "Room 101")}, func(t *testing.T, h *hotel) {
		h.mapTo("t1", "101")
		heat := func(to float64) device.Climate {
			return device.Climate{Mode: device.Known(device.HVACHeat), HeatingSetPoint: device.Known(to)}
		}
		require.NoError(t, h.scope.SetClimatePreset(t.Context(), h.device("t1").ID, "warm", func(access.ClimatePreset, bool) (access.ClimatePreset, error) {
			return access.ClimatePreset{Climate: heat(22)}, nil
		}))
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{
			Occupied:            access.ClimateRule{PresetKey: device.Known("warm")},
			Unoccupied:          access.ClimateRule{PresetKey: device.Known("nothing"), Climate: heat(16)},
			PreconditionMinutes: device.Known(30),
		}))
		setPoint := func() float64 {
			v, _ := h.world.Device("t1").State.HeatingSetPoint.Get()
			return v
		}
		before := setPoint()
		starts := time.Now().Add(2 * time.Hour)
		h.book("r1", starts, starts.Add(3*time.Hour), "101")
		h.book("r2", starts.Add(3*time.Hour+20*time.Minute), starts.Add(5*time.Hour), "101")
		passes(85 * time.Minute)
		require.Equal(t, before, setPoint())
		passes(10 * time.Minute)
		require.Equal(t, 22.0, setPoint(), "25 minutes before the start")
		a := h.do("t1", device.Command{Kind: device.SetClimate, Climate: heat(19)})
		require.Equal(t, access.AttemptSuccess, a.Status)
		passes(2 * time.Hour)
		require.Equal(t, 19.0, setPoint(), "the guest's setting is kept")
		passes(time.Hour + 30*time.Minute)
		require.Equal(t, 22.0, setPoint(), "the next stay begins soon")
		h.world.SetFaults("t1", simulated.Faults{Offline: true})
		passes(100 * time.Minute)
		require.Equal(t, 22.0, setPoint(), "it is offline at the end")
		h.world.SetFaults("t1", simulated.Faults{})
		passes(15 * time.Minute)
		require.Equal(t, 16.0, setPoint(), "a failed command is repeated")

		page, err := h.scope.AutomationRuns(t.Context(), access.RunQuery{})
		require.NoError(t, err)
		var rules []access.RunRule
		for _, run := range page.Items {
			require.True(t, run.Success, "%+v", run)
			rules = append(rules, run.Rule)
		}
		require.Equal(t, []access.RunRule{access.RunUnoccupied, access.RunOccupied, access.RunOccupied}, rules)
	})
}

// TestAutomationRuns_Codes_TellWhatChanged books, moves and extends a stay, and reads the log in pages.
func TestAutomationRuns_Codes_TellWhatChanged(t *testing.T) {
	t.Parallel()
	withCodes(t, func(t *testing.T, h *hotel) {
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(settle)
		h.book("r1", starts, ends.Add(time.Hour), "101")
		passes(settle)
		h.book("r1", starts, ends.Add(time.Hour), "101", "102")
		passes(settle)
		var runs []access.AutomationRun
		q := access.RunQuery{Limit: 1}
		for {
			page, err := h.scope.AutomationRuns(t.Context(), q)
			require.NoError(t, err)
			for _, run := range page.Items {
				require.NotEmpty(t, run.ID)
				require.Equal(t, "r1", run.Subject.Key)
				runs = append(runs, access.AutomationRun{Rule: run.Rule, Success: run.Success, Created: run.Created, Updated: run.Updated, Deleted: run.Deleted})
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		require.Equal(t, []access.AutomationRun{
			{Rule: access.RunDoorsChanged, Success: true, Created: 1},
			{Rule: access.RunTimesChanged, Success: true, Updated: 2},
			{Rule: access.RunCodesCreated, Success: true, Created: 2},
		}, runs)
	})
}
