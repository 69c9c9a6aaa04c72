// The simulated devices: what they can do, their memory, and their faults.
import fs from "node:fs"
import { KeypadMode, ThermostatMode, ThermostatSetpointType, UserIDStatus } from "@zwave-js/cc"
import { BatteryCCGet, BatteryCCReport } from "@zwave-js/cc/BatteryCC"
import { DoorLockCCOperationReport, DoorLockCCOperationSet } from "@zwave-js/cc/DoorLockCC"
import { NotificationCCReport } from "@zwave-js/cc/NotificationCC"
import { ThermostatModeCCSet } from "@zwave-js/cc/ThermostatModeCC"
import { ThermostatSetpointCCSet } from "@zwave-js/cc/ThermostatSetpointCC"
import { UserCodeCCExtendedUserCodeSet, UserCodeCCGet, UserCodeCCReport, UserCodeCCSet } from "@zwave-js/cc/UserCodeCC"
import { UserCredentialCCCredentialSet } from "@zwave-js/cc/UserCredentialCC"
import { CommandClasses } from "@zwave-js/core"
import { ccCaps, createMockZWaveRequestFrame } from "@zwave-js/testing"

const LOCK = 2 // its commands are not supervised
const THERMOSTAT = 3
const SUPERVISED = 4 // a lock whose commands are supervised
const CREDENTIALS = 5 // a lock with the newer command class for codes
const SLOTS = 6

const identity = { manufacturerId: 0x7fff, productType: 1, productId: 1 }
const lock = (...more) => ({
  ...identity, isListening: true, isFrequentListening: false,
  genericDeviceClass: 0x40, specificDeviceClass: 0x03, // entry control, secure keypad door lock
  commandClasses: [
    CommandClasses["Manufacturer Specific"], CommandClasses.Version, CommandClasses.Battery,
    ccCaps({ ccId: CommandClasses["Door Lock"], isSupported: true, version: 4, doorSupported: false, latchSupported: false }),
    ccCaps({
      ccId: CommandClasses.Notification, isSupported: true, version: 8, supportsV1Alarm: false,
      notificationTypesAndEvents: { 6: [1, 2, 3, 4, 5, 6, 9, 11, 15] },
    }),
    ...more,
  ],
})
const userCodes = ccCaps({
  ccId: CommandClasses["User Code"], isSupported: true, version: 2, numUsers: SLOTS, supportedASCIIChars: "0123456789",
  supportedUserIDStatuses: [UserIDStatus.Available, UserIDStatus.Enabled, UserIDStatus.Disabled],
  supportedKeypadModes: [KeypadMode.Normal], supportsAdminCode: false, supportsUserCodeChecksum: false,
})

export const nodes = [
  { id: LOCK, capabilities: lock(userCodes) },
  {
    id: THERMOSTAT, capabilities: {
      ...identity, productId: 2, genericDeviceClass: 0x08, specificDeviceClass: 0x06,
      commandClasses: [
        CommandClasses["Manufacturer Specific"], CommandClasses.Version,
        ccCaps({
          ccId: CommandClasses["Thermostat Mode"], isSupported: true, version: 3,
          supportedModes: [ThermostatMode.Off, ThermostatMode.Heat, ThermostatMode.Cool, ThermostatMode.Auto],
        }),
        ccCaps({
          ccId: CommandClasses["Thermostat Setpoint"], isSupported: true, version: 3, setpoints: {
            [ThermostatSetpointType.Heating]: { minValue: 5, maxValue: 30, defaultValue: 20, scale: "°C" },
            [ThermostatSetpointType.Cooling]: { minValue: 15, maxValue: 35, defaultValue: 25, scale: "°C" },
          },
        }),
        ccCaps({ ccId: CommandClasses["Multilevel Sensor"], isSupported: true, version: 11, sensors: { 1: { supportedScales: [0] } }, getValue: () => 21.5 }),
      ],
    },
  },
  { id: SUPERVISED, capabilities: lock(userCodes, CommandClasses.Supervision) },
  {
    id: CREDENTIALS, capabilities: lock(ccCaps({
      ccId: CommandClasses["User Credential"], isSupported: true, version: 1, numberOfSupportedUsers: SLOTS,
      supportedCredentialTypes: new Map([[1, {
        numberOfCredentialSlots: SLOTS, minCredentialLength: 4, maxCredentialLength: 10, maxCredentialHashLength: 0, supportsCredentialLearn: false,
      }]]),
    })),
  },
]

const commandsOfDevices = [DoorLockCCOperationSet, UserCodeCCSet, UserCodeCCExtendedUserCodeSet, UserCredentialCCCredentialSet, ThermostatModeCCSet, ThermostatSetpointCCSet]
const isCommand = (cc) => commandsOfDevices.some((c) => cc instanceof c)

// Keys of the memory of a node of @zwave-js/testing.
const status = (slot) => "UserCode_userIdStatus_" + slot
const code = (slot) => "UserCode_userCode_" + slot
const mode = "DoorLock_currentMode"
const isRemembered = (key) => key.startsWith("UserCode_user") || key === mode || key.startsWith("Thermostat")

export class Devices {
  constructor(file, driver) {
    this.file = file
    this.driver = driver
    this.memory = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : {}
    this.nodes = new Map()
    this.faults = new Map()
    this.sent = new Map()
    this.commands = {
      renew: (id) => this.renew(id),
      fault: (id, name, value) => this.fault(id, name, value),
      operate: (id, operation) => this.operate(id, operation),
      code: (id, slot) => this.writeCode(id, slot),
      codes: (id) => this.codes(id),
      sent: (id) => this.sent.get(id) ?? 0,
      locked: (id) => this.nodes.get(id).state.get(mode) === 255,
      report: (id) => this.report(id),
    }
  }

  add(node) {
    this.nodes.set(node.id, node)
    this.faults.set(node.id, {})
    for (const [key, value] of Object.entries(this.memory[node.id] ?? {})) node.state.set(key, value)
    node.defineBehavior({
      transformIncomingCC: async (_, __, cc) => {
        if (isCommand(cc)) this.sent.set(node.id, (this.sent.get(node.id) ?? 0) + 1)
        await this.faults.get(node.id).held?.promise
        return cc
      },
      handleCC: (c, self, cc) => this.handle(c, self, cc),
      transformResponse: (_, self, cc, response) => {
        this.remember()
        return this.faults.get(self.id).mute ? { action: "stop" } : response
      },
    })
  }

  // remember stores the memory of all devices.
  remember() {
    for (const node of this.nodes.values()) {
      this.memory[node.id] = Object.fromEntries([...node.state].filter(([key]) => isRemembered(key)))
    }
    fs.writeFileSync(this.file + ".new", JSON.stringify(this.memory))
    fs.renameSync(this.file + ".new", this.file)
  }

  // handle is the part of a device that differs from the devices of @zwave-js/testing. It returns undefined for the rest.
  handle(controller, node, cc) {
    const faults = this.faults.get(node.id)
    if (faults.offline || faults.deaf && isCommand(cc)) return { action: "stop" }
    if (cc instanceof UserCodeCCGet && faults.masks && node.state.get(status(cc.userId)) > 0) {
      return { action: "sendCC", cc: new UserCodeCCReport({ nodeId: controller.ownNodeId, userId: cc.userId, userIdStatus: node.state.get(status(cc.userId)), userCode: "******" }) }
    }
    if (cc instanceof UserCodeCCSet) return this.setCode(node, cc)
    if (cc instanceof UserCodeCCExtendedUserCodeSet) return this.setCode(node, cc.userCodes[0]) // Z-Wave JS sends one
    if (cc instanceof BatteryCCGet) {
      return { action: "sendCC", cc: new BatteryCCReport({ nodeId: controller.ownNodeId, level: 85, isLow: false }) }
    }
    if (cc instanceof ThermostatSetpointCCSet) { // the device of @zwave-js/testing refuses most values
      node.state.set("ThermostatSetpoint_setpoint_" + cc.setpointType, cc.value)
      node.state.set("ThermostatSetpoint_scale_" + cc.setpointType, cc.scale)
      return { action: "ok" }
    }
  }

  // setCode stores, clears or refuses a code. A lock says why it refuses a code only in a notification, and only if it is a duplicate.
  setCode({ id, state }, { userId, userIdStatus, userCode }) {
    const faults = this.faults.get(id)
    let pin
    if (userIdStatus !== UserIDStatus.Available) {
      pin = typeof userCode === "string" ? userCode : Buffer.from(userCode).toString("latin1")
      for (let slot = 1; slot <= SLOTS; slot++) {
        if (slot !== userId && state.get(status(slot)) > 0 && state.get(code(slot)) === pin) {
          void this.notify(this.nodes.get(id), 15)
          return { action: "fail" }
        }
      }
      if (faults.full && !(state.get(status(userId)) > 0)) return { action: "fail" }
    }
    state.set(status(userId), userIdStatus)
    state.set(code(userId), pin)
    return { action: "ok" }
  }

  // send lets a device send a report.
  async send(node, cc) {
    const { offline, mute } = this.faults.get(node.id)
    if (!offline && !mute) await node.sendToController(createMockZWaveRequestFrame(cc, { ackRequested: false }))
  }

  async notify(node, event, parameters) {
    await this.send(node, new NotificationCCReport({ nodeId: 1, notificationType: 6, notificationEvent: event, eventParameters: parameters }))
  }

  async report(id) {
    const node = this.nodes.get(id)
    const current = node.state.get(mode) ?? 0
    await this.send(node, new DoorLockCCOperationReport({
      nodeId: 1, currentMode: current, targetMode: current, outsideHandlesCanOpenDoor: [true, true, true, true], insideHandlesCanOpenDoor: [true, true, true, true],
    }))
  }

  // fault begins or ends a fault. The server notices that a device is offline when it does not answer a ping.
  async fault(id, name, value) {
    const faults = this.faults.get(id)
    if (name === "held") {
      faults.held?.release()
      faults.held = undefined
      if (value) {
        let release
        faults.held = { promise: new Promise((resolve) => { release = resolve }) }
        faults.held.release = release
      }
      return
    }
    faults[name] = value
    if (name === "offline") {
      this.nodes.get(id).autoAckControllerFrames = !value
      await this.driver.controller.nodes.get(id).ping()
    } else if (!value && id !== THERMOSTAT) {
      await this.report(id)
    }
  }

  async operate(id, { locked, source, user }) {
    const node = this.nodes.get(id)
    node.state.set(mode, locked ? 255 : 0)
    this.remember()
    const event = { manual: 1, rf: 3, keypad: 5 }[source] + (locked ? 0 : 1)
    await this.notify(node, event, user ? Uint8Array.from([0x63, 0x03, user, 1, 0, 0]) : undefined) // Z-Wave JS derives the mode from it
  }

  // writeCode changes a slot as somebody at the lock would.
  writeCode(id, { slot, status: value, pin }) {
    const { state } = this.nodes.get(id)
    state.set(status(slot), value)
    state.set(code(slot), value > 0 ? pin : undefined)
    this.remember()
  }

  codes(id) {
    const { state } = this.nodes.get(id)
    const found = []
    for (let slot = 1; slot <= SLOTS; slot++) {
      if (state.get(status(slot)) > 0) found.push({ slot, status: state.get(status(slot)), pin: state.get(code(slot)) })
    }
    return found
  }

  // renew ends all faults and clears the codes.
  async renew(id) {
    const faults = this.faults.get(id)
    faults.held?.release()
    this.faults.set(id, {})
    const node = this.nodes.get(id)
    node.autoAckControllerFrames = true
    for (let slot = 1; slot <= SLOTS; slot++) this.writeCode(id, { slot, status: 0 })
    await this.driver.controller.nodes.get(id).ping()
    await this.report(id)
  }
}
