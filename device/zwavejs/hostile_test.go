package zwavejs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// Not parallel: it measures the heap.
func TestConn_10000NodesWithOddNames_LeaveOthersUnaffected(t *testing.T) {
	w := newWorld(t)
	for i := range 10_000 {
		name := []string{"a\u0000b", "\u001b[31mred", "\u202eevil", "line\nbreak", strings.Repeat("n", 3000), "<script>", "  ", "\ufeff", "ok"}[i%9]
		e := fmt.Sprintf(`{"nodeId":%d,"ready":true,"status":4,"name":%s,"deviceConfig":{"manufacturer":%s},"endpoints":[{"index":0,"commandClasses":[{"id":99}]}],
			"values":[{"commandClass":128,"property":"level","value":%d}]}`, i+10, encode(name), encode(name), i%100)
		if i%100 == 0 {
			e = odd[i/100%len(odd)] // not a node at all
		}
		w.extra = append(w.extra, e)
	}
	before := heap()
	c := w.open(t)
	n := 0
	for d, err := range c.Devices(t.Context()) {
		require.NoError(t, err)
		require.NoError(t, d.Check())
		n++
	}
	require.Equal(t, 10_000-100+3, n)
	requireWorks(t, c)
	w.change(func() { w.update(11, ccBattery, "level", 50) })
	require.Equal(t, device.Known(0.5), find(t, c, "11").State.Battery)
	require.Less(t, int64(heap())-int64(before), int64(64<<20), "bytes that the devices need")
}

// Not parallel: it measures the heap.
func TestConn_LargeMessages_AreIgnored(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 10<<20)
	w.extra = []string{`{"nodeId":9,"ready":true,"name":"` + long + `","values":` + sensorValues + `}`} // a node of 10 MB
	c := w.open(t)
	require.Empty(t, find(t, c, "9").Capabilities)
	before := heap()
	w.change(func() {
		for _, text := range []string{
			`{"type":"event","event":{"source":"node","event":"value updated","nodeId":2,"args":{"commandClass":98,"property":"currentMode","newValue":"` + long + `"}}}`,
			`{"type":"result","messageId":"` + long + `"}`, `["` + long + `"`, `{"` + long + `":1}`,
			strings.Repeat("[", 10<<20), `{"type":"event","event":` + strings.Repeat(`{"a":`, 2<<20) + `1` + strings.Repeat("}", 2<<20) + `}`,
		} {
			for client := range w.clients {
				w.send(client, text)
			}
		}
	})
	requireWorks(t, c)
	require.Less(t, int64(heap())-int64(before), int64(8<<20), "bytes that remain of the messages")
	require.Equal(t, "Front door", find(t, c, testLock).Name)
}

func TestConn_MessageThatIsTooLarge_EndsTheConnectionOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	events := watching(t, c)
	w.change(func() {
		for client := range w.clients {
			w.send(client, `"`+strings.Repeat("x", maxMessage)+`"`)
		}
	})
	require.Eventually(t, func() bool { return count(events(), isResync) == 2 }, eventually, tick)
	requireWorks(t, c)
}

func TestConn_WrongTypesEverywhere_LeaveTheDevicesUnaffected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	w.change(func() {
		for _, v := range append(odd, `"`, `{`, `{"type":`) {
			for _, text := range []string{
				v, `{"type":` + v + `}`, `{"type":"event","event":` + v + `}`, `{"type":"result","messageId":` + v + `}`,
				`{"type":"event","event":{"source":` + v + `,"event":` + v + `}}`,
				`{"type":"event","event":{"source":"node","event":"value updated","nodeId":` + v + `,"args":` + v + `}}`,
				`{"type":"event","event":{"source":"node","event":"value updated","nodeId":4,"args":{"commandClass":128,"property":"level","newValue":` + v + `}}}`,
				`{"type":"event","event":{"source":"node","event":"ready","nodeId":4,"nodeState":` + v + `}}`,
				`{"type":"event","event":{"source":"controller","event":"node added","node":` + v + `}}`,
				`{"type":"version","homeId":` + v + `}`,
			} {
				for client := range w.clients {
					w.send(client, text)
				}
			}
		}
	})
	requireWorks(t, c)
	require.NoError(t, c.SetCode(t.Context(), testLock, device.Slot{Index: 1, PIN: pin}))
	require.Equal(t, device.State{Online: device.Known(true), DoorOpen: device.Known(false)}, find(t, c, testSensor).State)
}

// A server that answers with anything must not confirm a command.
func TestConn_AnswersOfWrongTypes_ConfirmNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	for _, v := range append(odd, `{"result":{"status":"255"}}`, `{"response":{"userIdStatus":"1"}}`, `{"value":null}`) {
		w.change(func() { w.answer = v })
		outcome, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Lock})
		require.False(t, err == nil && outcome.Confirmed, v)
		_, err = c.Codes(t.Context(), testLock)
		require.Error(t, err, v)
		require.Error(t, c.SetCode(t.Context(), testLock, device.Slot{Index: 1, PIN: pin}), v)
		require.Error(t, c.ClearCode(t.Context(), testLock, 1), v)
	}
}

func TestOpen_StatesOfWrongTypes_FailOrAreEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.connect(t)
	for _, v := range odd {
		for _, state := range []string{v, `{"state":` + v + `}`, `{"state":{"nodes":` + v + `}}`, `{"state":{"nodes":[` + v + `]}}`} {
			w.change(func() { w.raw = state })
			c, err := w.provider.Open(t.Context(), account)
			if err != nil {
				require.ErrorIs(t, err, device.ErrOffline)
				continue
			}
			for _, err := range c.Devices(t.Context()) {
				require.NoError(t, err)
				t.Fatal("the state contains no devices")
			}
			require.NoError(t, c.Close())
		}
	}
}

func TestConn_FloodOfEvents_LosesNoCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	events := watching(t, c)
	w.change(func() {
		for i := range 3000 {
			w.update(sensorNode, ccBinarySensor, "Door/Window", i%2 == 0)
			w.update(lockNode, 200+i, fmt.Sprint("property ", i), i) // values that the driver does not use
		}
	})
	requireWorks(t, c)
	require.Equal(t, device.Known(false), find(t, c, testSensor).State.DoorOpen)
	require.NotEmpty(t, events())
}
