package zwavejs

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/internal/allowhosts"
)

func TestOpen_AnotherNetwork_IsALostAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.connect(t)
	require.Equal(t, "7e570001", account.ID)
	c, err := w.provider.Open(t.Context(), account)
	require.NoError(t, err)
	defer c.Close()
	w.change(func() { w.home++ })
	w.drop()
	require.ErrorIs(t, c.Watch(t.Context(), func(device.Event) {}), device.ErrAccountLost)
	_, err = c.Do(t.Context(), testLock, device.Command{Kind: device.Unlock})
	require.ErrorIs(t, err, device.ErrAccountLost)
	_, err = w.provider.Open(t.Context(), account)
	require.ErrorIs(t, err, device.ErrAccountLost)
}

func TestConnect_ServerWithOtherVersions_IsAProblemOfTheAddress(t *testing.T) {
	t.Parallel()
	for _, versions := range [][2]int{{0, minSchema - 1}, {maxSchema + 1, maxSchema + 9}} {
		w := newWorld(t)
		w.lowest, w.schema = versions[0], versions[1]
		pane, err := w.provider.Connect(t.Context(), answers(w.url()))
		require.NoError(t, err)
		require.Equal(t, device.ProblemInvalid, pane.Form.Fields[0].Problem)
		require.Contains(t, pane.Form.Fields[0].Message, "version")
	}
	w := newWorld(t) // newer, but it still supports an older version
	w.schema = maxSchema + 9
	w.connect(t)
}

func TestConnect_WrongAddresses_AreProblemsOfTheField(t *testing.T) {
	t.Parallel()
	p := testProvider(t, Options{})
	for _, address := range []string{
		"http://127.0.0.1", "ws://", "ws://user@127.0.0.1", "ws://127.0.0.1:0", "ws://127.0.0.1:99999", "ws://127.0.0.1?a=b", "ws://127.0.0.1/#a", "mqtt:x", "%",
	} {
		pane, err := p.Connect(t.Context(), answers(address))
		require.NoError(t, err)
		require.Equal(t, device.ProblemInvalid, pane.Form.Fields[0].Problem, address)
		require.Equal(t, address, pane.Form.Fields[0].Value)
	}
}

func TestConnect_AddressThatIsNotAllowed_IsAProblemOfTheField(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	reached := make(chan struct{})
	go func() {
		if c, err := listener.Accept(); err == nil {
			_ = c.Close()
			close(reached)
		}
	}()
	for _, allowed := range [][]string{nil, {"192.0.2.0/24"}, {"example.com"}, {"127.0.0.2"}} {
		p, err := New(Options{AllowedHosts: allowed})
		require.NoError(t, err)
		for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
			pane, err := p.Connect(t.Context(), answers("ws://"+host+":"+port))
			require.NoError(t, err)
			require.Equal(t, device.ProblemNotAllowed, pane.Form.Fields[0].Problem, host)
			_, err = p.Open(t.Context(), device.Account{ID: "7e570001", Secret: device.NewSecret(`{"url":"ws://` + host + `:` + port + `"}`)})
			require.ErrorIs(t, err, allowhosts.ErrNotAllowed)
		}
	}
	select {
	case <-reached:
		t.Fatal("the driver connected to an address that is not allowed")
	default:
	}
}

// The operator of the program may use any address. Customers may not, even if they connect the operator's account again.
func TestConnect_OperatorsOwnConfiguration_IsNotLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, err := New(Options{})
	require.NoError(t, err)
	step := answers(w.url())
	step.Operator = true
	pane, err := p.Connect(t.Context(), step)
	require.NoError(t, err)
	require.NotNil(t, pane.Done)
	c, err := p.Open(t.Context(), *pane.Done)
	require.NoError(t, err)
	require.NotEmpty(t, find(t, c, testLock))
	require.NoError(t, c.Close())
	for _, operator := range []bool{true, false} {
		again, err := p.Connect(t.Context(), device.Step{Reconnect: pane.Done, Operator: operator})
		require.NoError(t, err)
		require.Equal(t, operator, again.Form.Fields[0].Value == w.url(), "the address in the form")
	}
	step.Operator, step.Reconnect = false, pane.Done
	again, err := p.Connect(t.Context(), step)
	require.NoError(t, err)
	require.Equal(t, device.ProblemNotAllowed, again.Form.Fields[0].Problem)
}

func TestNew_WrongOptions_ReturnsAnErrorThatNamesThem(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Slots: 251})
	require.ErrorContains(t, err, "Options.Slots is 251")
	_, err = New(Options{AllowedHosts: []string{"127.0.0.1:3000"}})
	require.ErrorContains(t, err, `"127.0.0.1:3000" in AllowedHosts`)
}
