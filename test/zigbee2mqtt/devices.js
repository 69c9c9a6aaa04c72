// Simulated Zigbee devices, and the functions with which a test operates them and causes faults.
"use strict"
const fs = require("node:fs")
const { setTimeout: sleep } = require("node:timers/promises")
const { Device } = require("./device.js")
const { Lock } = require("./lock.js")
const { Type } = require("./radio.js")

const genPowerCfg = 1, hvacThermostat = 513, temperature = 1026, humidity = 1029, ssIasZone = 1280

const yale = { modelId: "YRD226 TSDB", manufName: "Yale", manufId: 4098, devId: 10, clusters: [0, 1, 257] }
const danalock = { modelId: "V3-BTZB", manufName: "Danalock", manufId: 4444, devId: 10, clusters: [0, 1, 257] } // it has slots 0 to 19
const valve = { modelId: "TRVZB", manufName: "SONOFF", manufId: 4742, devId: 769, clusters: [0, 1, 513] }
const contact = { modelId: "DS01", manufName: "eWeLink", manufId: 4742, devId: 1026, clusters: [0, 1, 1280] }
const motion = { modelId: "PIRSensor-N", manufName: "HEIMAN", manufId: 4619, devId: 1026, clusters: [0, 1, 1280] }
const water = { modelId: "WaterSensor-N", manufName: "HEIMAN", manufId: 4619, devId: 1026, clusters: [0, 1, 1280] }
const smoke = { modelId: "SmokeSensor-N", manufName: "HEIMAN", manufId: 4619, devId: 1026, clusters: [0, 1, 1280] }
const climate = { modelId: "TH01", manufName: "eWeLink", manufId: 4742, devId: 770, clusters: [0, 1, 1026, 1029] }

class Devices {
  // file is the memory of the devices.
  constructor(file) {
    this.file = file
    this.list = [
      new Lock("0x000d6f0000000001", 1001, "front_door", yale),
      new Device("0x000d6f0000000002", 1002, "living room/thermostat", valve, {
        [`${hvacThermostat}.0`]: [Type.INT16, 2150], [`${hvacThermostat}.18`]: [Type.INT16, 2000], [`${hvacThermostat}.28`]: [Type.ENUM8, 4],
        [`${hvacThermostat}.41`]: [Type.BITMAP16, 0],
      }),
      new Device("0x000d6f0000000003", 1003, "back_contact", contact),
      new Lock("0x000d6f0000000004", 1004, "cellar/door", danalock),
      new Lock("0x000d6f0000000005", 1005, "garage_door", yale),
      new Device("0x000d6f0000000006", 1006, "hall_motion", motion),
      new Device("0x000d6f0000000007", 1007, "kitchen_leak", water),
      new Device("0x000d6f0000000008", 1008, "kitchen_smoke", smoke),
      new Device("0x000d6f0000000009", 1009, "bedroom_climate", climate),
    ]
    this.byAddress = new Map(this.list.map((d) => [d.ieee, d]))
    const memory = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : {}
    for (const d of this.list) {
      d.all = this
      Object.assign(d, memory[d.ieee])
    }
  }

  save() {
    const memory = Object.fromEntries(this.list.map((d) => [d.ieee, d.memory()]))
    fs.writeFileSync(this.file + ".new", JSON.stringify(memory))
    fs.renameSync(this.file + ".new", this.file) // complete also if the process is killed
  }

  configuration() {
    return Object.fromEntries(this.list.map((d) => [d.ieee, { friendly_name: d.name, ...(d instanceof Lock && { expose_pin: true }) }]))
  }

  database() {
    const endpoint = { profId: 260, epId: 1, devId: 5, inClusterList: [], outClusterList: [], clusters: {}, binds: [], configuredReportings: [], meta: {} }
    const coordinator = {
      id: 1, type: "Coordinator", ieeeAddr: "0x00124b0000000001", nwkAddr: 0, manufId: 0, epList: [1], endpoints: { 1: endpoint },
      interviewCompleted: true, interviewState: "SUCCESSFUL", meta: {}, lastSeen: null,
    }
    return [coordinator, ...this.list.map((d, i) => d.entry(i + 2))]
  }

  // commands are the functions that a test can call.
  commands = {
    // fault begins or ends a fault of a lock: offline, held, deaf, mute, stale or full.
    fault: (id, name, on) => this.byAddress.get(id).setFault(name, on),
    // operate locks or unlocks a lock at the door.
    operate: (id, operation) => this.byAddress.get(id).operate(operation),
    // code changes a slot at the keypad: {slot, status, pin}, with an empty pin to clear it. With notify, the lock reports the change.
    code: (id, code) => this.byAddress.get(id).changeCode(code),
    // codes returns the occupied slots of a lock.
    codes: (id) => this.byAddress.get(id).codes(),
    // sent returns how many commands were sent to a device, also if it ignored them. locked reports whether a lock is locked.
    sent: (id) => this.byAddress.get(id).sent,
    locked: (id) => this.byAddress.get(id).locked,
    // renew ends all faults of a lock, and clears its codes.
    renew: (id) => this.byAddress.get(id).renew(),
    announce: (id) => this.radio.announce(this.byAddress.get(id)),
    // zone lets a sensor report the bits of its alarms, climate the temperature in °C and the relative humidity in percent.
    zone: (id, zonestatus) =>
      this.radio.notify(this.byAddress.get(id), ssIasZone, "statusChangeNotification", { zonestatus, extendedstatus: 0, zoneID: 0, delay: 0 }),
    climate: (id, celsius, percent) => {
      this.radio.report(this.byAddress.get(id), temperature, [[0, Type.INT16, celsius * 100]])
      this.radio.report(this.byAddress.get(id), humidity, [[0, Type.UINT16, percent * 100]])
    },
    // battery lets a device report its battery in percent. It returns a time, in ms, before it and after everything that was sent before.
    battery: async (id, percent) => {
      await sleep(2)
      const at = Date.now()
      this.radio.report(this.byAddress.get(id), genPowerCfg, [[33, Type.UINT8, percent * 2]])
      return at
    },
  }
}
exports.Devices = Devices
