package access

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

func TestEventBuffer_StatesOfInventedDevices_AreBounded(t *testing.T) {
	t.Parallel()
	b := newEventBuffer()
	report := func(prefix string) {
		for i := range maxInventory + 10 {
			b.add(device.Event{Kind: device.StateChanged, DeviceID: fmt.Sprint(prefix, i)})
		}
	}
	report("a")
	taken := b.take()
	require.Len(t, taken.states, maxInventory)
	require.True(t, taken.resync, "states were dropped")
	report("b")
	b.putBack(taken)
	require.Len(t, b.take().states, maxInventory)
	b.add(device.Event{Kind: device.StateChanged, DeviceID: strings.Repeat("x", device.MaxIDBytes+1)})
	require.Empty(t, b.take().states)
}

func TestEventBuffer_MethodOfTheContractIsMissing_IsUnknown(t *testing.T) {
	t.Parallel()
	b := newEventBuffer()
	b.add(device.Event{Kind: device.Operated, DeviceID: "l1", Operation: device.Operation{Method: "telepathy"}})
	b.add(device.Event{Kind: device.Operated, DeviceID: "l1", Operation: device.Operation{Method: device.MethodKeypad}})
	operations := b.take().operations
	require.Len(t, operations, 2)
	require.Equal(t, device.MethodUnknown, operations[0].Method)
	require.Equal(t, device.MethodKeypad, operations[1].Method)
}
