package zigbee2mqtt

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/devicetest"
	"github.com/customerportal-go/customerportal/internal/testsize"
)

// Devices of test/zigbee2mqtt, in addition to those of the scripted bridge.
const (
	testDanalock = "0x000d6f0000000004" // with 19 slots for codes
	testGarage   = "0x000d6f0000000005"
	testMotion   = "0x000d6f0000000006"
	testLeak     = "0x000d6f0000000007"
	testSmoke    = "0x000d6f0000000008"
	testClimate  = "0x000d6f0000000009"
	testDevices  = 9
)

// program is Zigbee2MQTT with a simulated radio, see test/zigbee2mqtt, and a broker in this process.
type program struct {
	*broker
	tb       testing.TB
	dir      string // the data of the program and the memory of its devices
	peer     string
	provider *Provider
	answers  map[string]string
	logs     *logs // of the driver
	output   *logs // of the program

	calling  sync.Mutex // also guards the fields below
	command  *exec.Cmd
	input    io.WriteCloser
	results  *bufio.Scanner
	requests int
	changed  map[string]bool // locks with changed options

	mu        sync.Mutex
	responses map[string]chan string // results of requests to the program, by transaction
}

// newProgram starts a broker and the program.
func newProgram(tb testing.TB) *program {
	tb.Helper()
	testsize.SkipShort(tb)
	peer, err := filepath.Abs("../../test/zigbee2mqtt")
	require.NoError(tb, err)
	if _, err := os.Stat(filepath.Join(peer, "node_modules", "zigbee2mqtt")); err != nil {
		require.NoError(tb, err, "these tests need Node 20 or later and Zigbee2MQTT: run npm ci --ignore-scripts in test/zigbee2mqtt")
	}
	p := &program{
		tb: tb, dir: tb.TempDir(), peer: peer, logs: &logs{}, output: &logs{limit: 64 << 10}, changed: map[string]bool{}, responses: map[string]chan string{},
	}
	p.broker = newBroker(tb, nil)
	p.keep = true // as brokers do by default that store their messages on disk
	p.started = p.serve
	p.serve(p.current())
	p.answers = map[string]string{"url": p.url(), "username": testUser, "password": testPassword}
	p.provider = p.newProvider()
	tb.Cleanup(func() {
		p.kill()
		if tb.Failed() {
			tb.Logf("the end of the output of Zigbee2MQTT:\n%s", p.output.String())
		}
	})
	p.run()
	return p
}

func (p *program) newProvider() *Provider {
	provider := testProvider(p.tb, Options{Slots: testSlots, Logger: slog.New(slog.NewTextHandler(p.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	provider.times.reread = defaultTimes().reread // else a slow program publishes old values more often than the driver tolerates
	p.watchWires(provider)
	return provider
}

func (p *program) open(tb testing.TB) *conn {
	tb.Helper()
	return connect(tb, p.provider, p.answers)
}

// run starts the program and waits until it is ready.
func (p *program) run() {
	results, resultsOfPeer, err := os.Pipe()
	require.NoError(p.tb, err)
	command := exec.Command("node", filepath.Join(p.peer, "peer.js"), p.url(), bridgeUser, bridgePassword)
	command.Dir, command.Env = p.dir, append(os.Environ(), "ZIGBEE2MQTT_DATA="+p.dir)
	command.Stdout, command.Stderr, command.ExtraFiles = p.output, p.output, []*os.File{resultsOfPeer}
	input, err := command.StdinPipe()
	require.NoError(p.tb, err)
	require.NoError(p.tb, command.Start())
	require.NoError(p.tb, resultsOfPeer.Close())
	p.calling.Lock()
	p.command, p.input, p.results = command, input, bufio.NewScanner(results)
	p.calling.Unlock()
	p.awaitReady()
}

// kill kills the program. Its devices keep their memory.
func (p *program) kill() {
	p.calling.Lock()
	defer p.calling.Unlock()
	if p.command == nil {
		return
	}
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
	p.command = nil
}

// call calls a function of the devices, see commands in test/zigbee2mqtt/devices.js.
func call[T any](p *program, name string, args ...any) (result T) {
	p.tb.Helper()
	p.calling.Lock()
	defer p.calling.Unlock()
	_, err := p.input.Write(append(encode(append([]any{name}, args...)), '\n'))
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
	call[any](p, name, args...)
}

// serve receives the responses of the program from a server that has just started.
func (p *program) serve(s *mqtt.Server) {
	if err := s.Subscribe(testBase+"/bridge/response/#", 1, func(_ *mqtt.Client, _ packets.Subscription, pk packets.Packet) {
		m := object(pk.Payload)
		p.mu.Lock()
		defer p.mu.Unlock()
		if response := p.responses[asText(m["transaction"])]; response != nil {
			select {
			case response <- asText(m["status"]):
			default: // a response to a repeated request
			}
		}
	}); err != nil {
		panic(err)
	}
}

// request sends a request to the program until it answers.
func (p *program) request(name string, fields map[string]any) {
	p.tb.Helper()
	p.calling.Lock()
	p.requests++
	transaction := fmt.Sprint(p.requests)
	p.calling.Unlock()
	fields["transaction"] = transaction
	response := make(chan string, 1)
	p.mu.Lock()
	p.responses[transaction] = response
	p.mu.Unlock()
	require.Eventually(p.tb, func() bool {
		p.broker.publish(testBase+"/bridge/request/"+name, string(encode(fields)), false)
		select {
		case status := <-response:
			require.Equal(p.tb, "ok", status, name)
			return true
		case <-time.After(200 * time.Millisecond):
			return false
		}
	}, eventually, tick)
}

// awaitReady waits until the program answers and has published everything.
func (p *program) awaitReady() {
	p.tb.Helper()
	p.request("health_check", map[string]any{})
	require.Eventually(p.tb, func() bool {
		devices, err := decodeDevices([]byte(p.stored("bridge/devices")), testSlots)
		return err == nil && len(devices) == testDevices && p.stored("bridge/state") == `{"state":"online"}` &&
			p.stored("bedroom_climate/availability") != ""
	}, eventually, tick)
}

// stored returns a retained message.
func (p *program) stored(topic string) string {
	m, _ := p.current().Topics.Retained.Get(testBase + "/" + topic)
	return string(m.Payload)
}

func (p *program) setOptions(id string, options map[string]any) {
	p.tb.Helper()
	p.calling.Lock()
	p.changed[id] = true
	p.calling.Unlock()
	p.request("device/options", map[string]any{"id": id, "options": options})
}

// mark waits until the driver has received everything that the lock reported so far.
func (p *program) mark() {
	p.tb.Helper()
	p.awaitMark(time.UnixMilli(call[int64](p, "battery", testLock, 85)))
}

// setOffline changes whether the lock is offline. The program takes a silent device for offline after a time of at least one minute, which
// is an option of the device. Without any time, it does so after the next message.
func (p *program) setOffline(id string, offline bool) {
	p.tb.Helper()
	minutes := 1500
	if offline {
		minutes = 0
	}
	p.setOptions(id, map[string]any{"availability": map[string]any{"timeout": minutes}})
	p.do("fault", id, "offline", offline)
	p.do("battery", id, 85)
	p.await(func(_ *conn, lock *thing) bool { return lock.online.Is(!offline) })
}

// renew ends all faults, and clears the codes of the lock.
func (p *program) renew() {
	p.tb.Helper()
	p.broker.mu.Lock()
	p.password = testPassword
	for c := range p.opened {
		if c.endError() != nil {
			delete(p.opened, c)
		}
	}
	p.broker.mu.Unlock()
	p.awaitReady()
	p.do("renew", testLock)
	p.calling.Lock()
	changed := p.changed[testLock]
	p.changed[testLock] = false
	p.calling.Unlock()
	if changed {
		p.request("device/options", map[string]any{"id": testLock, "options": map[string]any{"expose_pin": true, "availability": map[string]any{"timeout": 1500}}})
	}
	p.do("battery", testLock, 85)
	require.Eventually(p.tb, func() bool { return p.stored("front_door/availability") == `{"state":"online"}` }, eventually, tick)
}

// target returns the program for one check of the conformance tests.
func (p *program) target(tb testing.TB) devicetest.World {
	tb.Helper()
	p.renew()
	p.logs, p.answers["password"] = &logs{}, testPassword
	p.provider = p.newProvider()
	fault := func(name string) func(string, bool) {
		return func(id string, on bool) { p.do("fault", id, name, on); p.mark() }
	}
	return devicetest.World{
		Provider: p.provider, Answers: []map[string]string{p.answers},
		WrongAnswers: map[string]string{"url": p.url(), "username": testUser, "password": "wrong horse battery"},
		Lock:         testLock, Thermostat: testThermostat, Logs: p.logs.String, SilentRejections: true,
		Hooks: devicetest.Hooks{
			Offline: p.setOffline,
			Hold: func(id string) (release func()) {
				p.do("fault", id, "held", true)
				return func() { p.do("fault", id, "held", false) }
			},
			Deaf: fault("deaf"), Mute: fault("mute"), Stale: fault("stale"),
			Full: func(id string) { p.do("fault", id, "full", true) },
			HidePINs: func(id string) {
				p.setOptions(id, map[string]any{"expose_pin": false})
				p.await(func(c *conn, _ *thing) bool { return !c.info.readsPIN(id) })
			},
			WriteCode: p.writeCode, ReadCodes: p.readCodes, Operate: p.operate,
			Commands: func(id string) int { return call[int](p, "sent", id) },
			Outage: func(outage bool) {
				if outage {
					p.stop()
					return
				}
				p.start()
				p.awaitReady()
			},
			FailInventory: func() {
				p.broker.publish(testBase+"/bridge/devices", "["+entry(testLock, "front_door", lockExposes)+",", true)
				p.do("announce", testLock) // then the program publishes its devices again
			},
			Revoke: func() {
				p.broker.mu.Lock()
				p.password += " staple"
				p.answers["password"] = p.password // with which the customer connects again
				p.broker.mu.Unlock()
				p.drop()
			},
		},
	}
}

func (p *program) operate(id string, o device.Operation) {
	p.tb.Helper()
	source := map[device.Method]string{device.MethodKeypad: "keypad", device.MethodManual: "manual", device.MethodRemote: "rf"}[o.Method]
	slot, _ := o.Slot.Get()
	p.do("operate", id, map[string]any{"locked": o.Locked, "source": source, "user": slot})
}

// The states of slots in the Zigbee standard.
const (
	zigbeeEnabled  = 1
	zigbeeDisabled = 3
)

func (p *program) writeCode(id string, s device.Slot) {
	p.tb.Helper()
	status := zigbeeEnabled
	if s.State == device.SlotDisabled {
		status = zigbeeDisabled
	}
	p.do("code", id, map[string]any{"slot": s.Index, "status": status, "pin": s.PIN.Reveal()})
}

// readCodes returns the slots of a lock, as the lock has them.
func (p *program) readCodes(id string) []device.Slot {
	p.tb.Helper()
	slots := make([]device.Slot, testSlots)
	for i := range slots {
		slots[i] = device.Slot{Index: i + 1, State: device.SlotEmpty}
	}
	for _, code := range call[[]struct {
		Slot, Status int
		Pin          string
	}](p, "codes", id) {
		state := device.SlotKnown
		if code.Status == zigbeeDisabled {
			state = device.SlotDisabled
		}
		slots[code.Slot-1] = device.Slot{Index: code.Slot, State: state, PIN: device.NewSecret(code.Pin)}
	}
	return slots
}

func TestProvider_Zigbee2MQTT_Conforms(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	devicetest.Run(t, devicetest.Target{New: p.target, Complete: true})
}
