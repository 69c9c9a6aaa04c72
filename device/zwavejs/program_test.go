package zwavejs

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/devicetest"
	"github.com/customerportal-go/customerportal/internal/testsize"
)

// Nodes of test/zwavejs, in addition to the lock and the thermostat. The commands of the first lock are not supervised.
const (
	supervisedNode  = 4
	credentialsNode = 5 // a lock with the command class User Credential
)

// program is the server of Z-Wave JS with a simulated radio, see test/zwavejs.
type program struct {
	tb       testing.TB
	dir      string // the data of the program and the memory of its devices
	peer     string
	port     int
	provider *Provider
	logs     *logs // of the driver
	output   *logs // of the program

	mu      sync.Mutex
	command *exec.Cmd
	input   io.WriteCloser
	results *bufio.Scanner
}

// newProgram starts the program.
func newProgram(tb testing.TB) *program {
	tb.Helper()
	testsize.SkipShort(tb)
	peer, err := filepath.Abs("../../test/zwavejs")
	require.NoError(tb, err)
	if _, err := os.Stat(filepath.Join(peer, "node_modules", "@zwave-js", "server")); err != nil {
		require.NoError(tb, err, "these tests need Node 20 or later and Z-Wave JS: run npm ci --ignore-scripts in test/zwavejs")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	p := &program{tb: tb, dir: tb.TempDir(), peer: peer, port: listener.Addr().(*net.TCPAddr).Port, output: &logs{}}
	require.NoError(tb, listener.Close())
	p.renewProvider()
	tb.Cleanup(func() {
		p.kill()
		if tb.Failed() {
			text := p.output.String()
			tb.Logf("the end of the output of Z-Wave JS:\n%s", text[max(0, len(text)-8<<10):])
		}
	})
	p.run()
	return p
}

func (p *program) url() string { return "ws://127.0.0.1:" + strconv.Itoa(p.port) }

func (p *program) renewProvider() {
	p.logs = &logs{}
	p.provider = testProvider(p.tb, Options{Logger: slog.New(slog.NewTextHandler(p.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	p.provider.times.reread = 20 * time.Millisecond
	p.provider.times.backoff = func(int) time.Duration { return 20 * time.Millisecond }
}

// run starts the program and waits until its devices are ready.
func (p *program) run() {
	p.tb.Helper()
	results, resultsOfPeer, err := os.Pipe()
	require.NoError(p.tb, err)
	command := exec.Command("node", filepath.Join(p.peer, "peer.mjs"), strconv.Itoa(p.port))
	command.Dir, command.Stdout, command.Stderr, command.ExtraFiles = p.dir, p.output, p.output, []*os.File{resultsOfPeer}
	input, err := command.StdinPipe()
	require.NoError(p.tb, err)
	require.NoError(p.tb, command.Start())
	require.NoError(p.tb, resultsOfPeer.Close())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.command, p.input, p.results = command, input, bufio.NewScanner(results)
	require.True(p.tb, p.results.Scan(), "the program becomes ready")
}

// kill kills the program. Its devices keep their memory.
func (p *program) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command == nil {
		return
	}
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
	p.command = nil
}

// ask calls a function of the devices, see commands in test/zwavejs/devices.mjs.
func ask[T any](p *program, name string, args ...any) (result T) {
	p.tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := io.WriteString(p.input, encode(append([]any{name}, args...))+"\n")
	require.NoError(p.tb, err)
	require.True(p.tb, p.results.Scan(), "the program answers %s: %v", name, p.results.Err())
	var answer struct {
		Result T
		Error  string
	}
	require.NoError(p.tb, json.Unmarshal(p.results.Bytes(), &answer))
	require.Empty(p.tb, answer.Error, name)
	return answer.Result
}

// do calls a function of the devices that has no result.
func (p *program) do(name string, args ...any) {
	p.tb.Helper()
	ask[any](p, name, args...)
}

func number(id string) int {
	n, err := strconv.Atoi(id)
	if err != nil {
		panic(err)
	}
	return n
}

func (p *program) operate(id string, o device.Operation) {
	p.tb.Helper()
	source := map[device.Method]string{device.MethodKeypad: "keypad", device.MethodManual: "manual", device.MethodRemote: "rf"}[o.Method]
	slot, _ := o.Slot.Get()
	p.do("operate", number(id), map[string]any{"locked": o.Locked, "source": source, "user": slot})
}

func (p *program) writeCode(id string, s device.Slot) {
	p.tb.Helper()
	status := map[device.SlotState]int{device.SlotKnown: userEnabled, device.SlotDisabled: userDisabled}[s.State]
	p.do("code", number(id), map[string]any{"slot": s.Index, "status": status, "pin": s.PIN.Reveal()})
}

// readCodes returns the slots of a lock, as the lock has them.
func (p *program) readCodes(id string) []device.Slot {
	p.tb.Helper()
	slots := make([]device.Slot, testSlots)
	for i := range slots {
		slots[i] = device.Slot{Index: i + 1, State: device.SlotEmpty}
	}
	for _, code := range ask[[]struct {
		Slot, Status int
		Pin          string
	}](p, "codes", number(id)) {
		state := device.SlotKnown
		if code.Status == userDisabled {
			state = device.SlotDisabled
		}
		slots[code.Slot-1] = device.Slot{Index: code.Slot, State: state, PIN: device.NewSecret(code.Pin)}
	}
	return slots
}

// target returns the program for one check of the conformance tests.
func (p *program) target(id int) devicetest.World {
	p.tb.Helper()
	p.do("renew", id)
	p.renewProvider()
	fault := func(name string) func(string, bool) {
		return func(id string, on bool) { p.do("fault", number(id), name, on) }
	}
	return devicetest.World{
		Provider: p.provider, Answers: []map[string]string{{fieldURL: p.url()}},
		WrongAnswers: map[string]string{fieldURL: "ws://127.0.0.1:1"},
		Lock:         deviceID(id), Thermostat: testThermostat, Logs: p.logs.String, SilentRejections: true,
		Hooks: devicetest.Hooks{
			Offline: fault("offline"), Deaf: fault("deaf"), Mute: fault("mute"),
			Hold: func(id string) (release func()) {
				p.do("fault", number(id), "held", true)
				return func() { p.do("fault", number(id), "held", false) }
			},
			Full:      func(id string) { p.do("fault", number(id), "full", true) },
			HidePINs:  func(id string) { p.do("fault", number(id), "masks", true) },
			WriteCode: p.writeCode, ReadCodes: p.readCodes, Operate: p.operate,
			Commands: func(id string) int { return ask[int](p, "sent", number(id)) },
			Outage: func(outage bool) {
				if outage {
					p.kill()
				} else {
					p.run()
				}
			},
		},
	}
}

// Not with the real server: its inventory cannot fail in the middle, and its devices cannot report old states. The tests with the script
// do both.
var missingOfProgram = append([]string{"Hooks.FailInventory", "Hooks.Stale"}, missing...)

func TestProvider_ZWaveJS_Conforms(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	devicetest.Run(t, devicetest.Target{Complete: true, Missing: missingOfProgram, New: func(tb testing.TB) devicetest.World {
		return p.target(lockNode)
	}})
}

func (p *program) open(tb testing.TB) *conn {
	tb.Helper()
	w := &testWorld{provider: p.provider}
	pane, err := w.provider.Connect(tb.Context(), answers(p.url()))
	require.NoError(tb, err)
	require.NotNil(tb, pane.Done, "%+v", pane.Form)
	c, err := w.provider.Open(tb.Context(), *pane.Done)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, c.Close()) })
	return c.(*conn)
}

// A supervised lock and a lock with User Credential, in addition to the lock of the conformance tests: set, verify, duplicate, offline,
// clear, and use at the keypad.
func TestProgram_OtherLocks_TakeCodes(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	c := p.open(t)
	events := watching(t, c)
	for _, node := range []int{supervisedNode, credentialsNode} {
		id := deviceID(node)
		require.Equal(t, testSlots, find(t, c, id).Codes.Slots)
		for range 2 { // again, after the code was cleared
			require.NoError(t, c.SetCode(t.Context(), id, device.Slot{Index: 2, PIN: pin}))
			require.NoError(t, c.SetCode(t.Context(), id, device.Slot{Index: 2, PIN: pin}), "the same code")
			err := c.SetCode(t.Context(), id, device.Slot{Index: 4, PIN: pin})
			require.Equal(t, &device.RejectedError{Reason: device.RejectedDuplicate, Slot: 2}, err)
			slots, err := c.Codes(t.Context(), id)
			require.NoError(t, err)
			require.Len(t, slots, testSlots)
			require.Equal(t, device.Slot{Index: 2, State: device.SlotKnown, PIN: pin}, slots[1])
			require.Equal(t, device.SlotEmpty, slots[3].State)
			other := device.Slot{Index: 2, State: device.SlotKnown, PIN: device.NewSecret("271828")}
			require.NoError(t, c.SetCode(t.Context(), id, other))
			slots, err = c.Codes(t.Context(), id, 2)
			require.NoError(t, err)
			require.Equal(t, []device.Slot{other}, slots)

			p.operate(id, device.Operation{Method: device.MethodKeypad, Slot: device.Known(2)})
			require.Eventually(t, func() bool {
				return count(events(), func(e device.Event) bool {
					return e.DeviceID == id && e.Kind == device.Operated && e.Operation.Slot.Is(2)
				}) > 0
			}, eventually, tick)

			p.do("fault", node, "offline", true)
			require.ErrorIs(t, c.SetCode(t.Context(), id, device.Slot{Index: 3, PIN: pin}), device.ErrOffline)
			require.ErrorIs(t, c.ClearCode(t.Context(), id, 2), device.ErrOffline)
			_, err = c.Codes(t.Context(), id)
			require.ErrorIs(t, err, device.ErrOffline)
			p.do("fault", node, "offline", false)

			require.NoError(t, c.ClearCode(t.Context(), id, 2))
			require.NoError(t, c.ClearCode(t.Context(), id, 2), "an empty slot")
			slots, err = c.Codes(t.Context(), id, 2)
			require.NoError(t, err)
			require.Equal(t, []device.Slot{{Index: 2, State: device.SlotEmpty}}, slots)
		}
		for _, kind := range []device.CommandKind{device.Lock, device.Unlock} {
			outcome, err := c.Do(t.Context(), id, device.Command{Kind: kind})
			require.NoError(t, err)
			require.True(t, outcome.Confirmed)
			require.True(t, find(t, c, id).State.Locked.Is(kind == device.Lock))
		}
	}
}

// The program is killed while a code is written. After its restart, the caller reads the codes and writes again what is missing.
func TestProgram_KilledDuringCommands_ReachesTheDesiredState(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	c := p.open(t)
	events := watching(t, c)
	desired := map[int]device.Secret{}
	for i := range testSlots {
		desired[i+1] = device.NewSecret(fmt.Sprintf("%06d", 271828+i*1111))
	}
	for kill := range 3 {
		before := count(events(), isResync)
		killed := make(chan struct{})
		go func() {
			p.kill()
			close(killed)
		}()
		for index, pin := range desired {
			if kill == 1 {
				_ = c.ClearCode(t.Context(), testLock, index) // the result is unknown
			} else {
				_ = c.SetCode(t.Context(), testLock, device.Slot{Index: index, PIN: pin})
			}
		}
		<-killed
		p.run()
		require.Eventually(t, func() bool { return count(events(), isResync) > before }, eventually, tick)
		slots, err := c.Codes(t.Context(), testLock)
		require.NoError(t, err)
		for _, s := range slots {
			if s.PIN != desired[s.Index] {
				require.NoError(t, c.SetCode(t.Context(), testLock, device.Slot{Index: s.Index, PIN: desired[s.Index]}))
			}
		}
		for _, s := range p.readCodes(testLock) {
			require.Equal(t, device.Slot{Index: s.Index, State: device.SlotKnown, PIN: desired[s.Index]}, s)
		}
	}
}
