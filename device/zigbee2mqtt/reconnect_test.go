package zigbee2mqtt

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// Not parallel: it counts goroutines.
func TestConn_100Reconnects_LeaksNothing(t *testing.T) {
	w := newWorld(t)
	reconnectOften(t, w.open(t), func(i int) {
		if i%10 == 0 {
			w.stop() // the broker loses everything
			w.start()
		} else {
			w.drop()
		}
	})
}

// Not parallel: it counts goroutines.
func TestConn_100ReconnectsToZigbee2MQTT_LeaksNothing(t *testing.T) {
	p := newProgram(t)
	reconnectOften(t, p.open(t), func(i int) {
		switch {
		case i%50 == 0:
			p.kill()
			p.stop()
			p.start()
			p.run()
		case i%20 == 10:
			p.stop()
			p.start()
			p.awaitReady()
		default:
			p.drop()
		}
	})
}

// The answer to a command would be missed before the topics of the devices are subscribed.
func TestDo_BeforeSubscriptions_IsNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	subscribing, proceed := make(chan struct{}), make(chan struct{})
	w.broker.mu.Lock()
	w.subscribing, w.proceed = subscribing, proceed
	w.broker.mu.Unlock()
	w.drop()
	<-subscribing
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := c.Do(ctx, testLock, device.Command{Kind: device.Lock})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	err = c.ClearCode(ctx, testLock, 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	close(proceed)
	outcome, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Lock})
	require.NoError(t, err)
	require.True(t, outcome.Confirmed)
	require.Equal(t, 1, w.commands(testLock))
}

// reconnectOften calls reconnect 100 times. It requires that the connection works after each time, and that the driver does not have more
// goroutines or much more memory after the last than after the tenth.
func reconnectOften(t *testing.T, c *conn, reconnect func(i int)) {
	events := watching(t, c)
	measure := func() (goroutines int, heap uint64) {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		stacks := make([]byte, 4<<20)
		for s := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(s, "paho.golang") || strings.Contains(s, "zigbee2mqtt.(*conn)") { // not those of the broker
				goroutines++
			}
		}
		return goroutines, m.HeapAlloc
	}
	var goroutines int
	var heap uint64
	for i := 1; i <= 100; i++ {
		c.mu.Lock()
		generation := c.generation
		c.mu.Unlock()
		reconnect(i)
		require.Eventually(t, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.generation > generation && c.synced() && !c.bridge.Is(false)
		}, eventually, tick)
		outcome, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Lock})
		require.NoError(t, err)
		require.True(t, outcome.Confirmed)
		if i == 10 { // after the goroutines of the last connection have ended
			require.Eventually(t, func() bool {
				before := goroutines
				goroutines, heap = measure()
				return goroutines == before
			}, eventually, 50*time.Millisecond)
		}
	}
	var after uint64
	require.Eventually(t, func() bool { var n int; n, after = measure(); return n == goroutines }, eventually, 50*time.Millisecond, "%d goroutines", goroutines)
	t.Logf("%d goroutines of the driver; the live heap is %d KiB after 10 reconnects and %d KiB after 100", goroutines, heap>>10, after>>10)
	require.LessOrEqual(t, after, heap+5<<20)
	require.NotEmpty(t, events())
}
