// A simulated Zigbee lock with codes. Like real ones, it answers a refused code only with a status, which Zigbee2MQTT ignores.
"use strict"
const { Device } = require("./device.js")
const { Type } = require("./radio.js")

const closuresDoorLock = 257
const lockState = 0
const sources = { keypad: 0, rf: 1, manual: 2 }
const statusFull = 2, statusDuplicate = 3
const commands = ["lockDoor", "unlockDoor", "setPinCode", "clearPinCode"]

class Lock extends Device {
  constructor(ieee, nwk, name, model) {
    super(ieee, nwk, name, model)
    Object.assign(this, { locked: true, pins: {}, faults: {} })
  }
  memory() { return { locked: this.locked, pins: this.pins } }

  // silent reports whether the lock's own reports are lost.
  get silent() { return this.faults.offline || this.faults.mute || this.faults.stale }

  // answers contains what reads show.
  get answers() { return this.frozen ?? this }

  isCommand(frame) { return commands.includes(frame.command.name) }

  // lost throws the error of a radio that gets no answer. A real radio waits 10 s before.
  lost() { throw new Error("Timeout after 10000ms") }

  read(cluster, attribute) {
    if (this.faults.offline || this.faults.mute) this.lost()
    if (cluster === closuresDoorLock && attribute === lockState) return [Type.ENUM8, this.answers.locked ? 1 : 2]
  }
  write() { if (this.silent) this.lost() }

  // handle carries out a command and returns the answer.
  handle(frame) {
    const name = frame.command.name
    if (this.faults.offline || this.faults.deaf && this.isCommand(frame)) this.lost()
    const answer = this.execute(name, frame)
    this.all.save()
    if (this.faults.mute) this.lost()
    return answer
  }

  execute(name, frame) {
    const user = frame.payload.userid
    switch (name) {
      case "lockDoor":
      case "unlockDoor":
        this.locked = name === "lockDoor"
        return [name + "Rsp", { status: 0 }]
      case "setPinCode":
        return ["setPinCodeRsp", { status: this.store(user, frame.payload) }]
      case "clearPinCode":
        delete this.pins[user]
        return ["clearPinCodeRsp", { status: 0 }]
      case "getPinCode": {
        const { status = 0, type = 0, pin = "" } = this.answers.pins[user] ?? {}
        return ["getPinCodeRsp", { userid: user, userstatus: status, usertype: type, pincodevalue: Buffer.from(pin) }]
      }
    }
    return ["defaultRsp", { cmdId: frame.command.ID, statusCode: 0 }]
  }

  // store stores a code, or returns the status with which the lock refuses it.
  store(user, { userstatus, usertype, pincodevalue }) {
    const pin = String(pincodevalue)
    if (Object.entries(this.pins).some(([u, other]) => Number(u) !== user && other.pin === pin)) return statusDuplicate
    if (this.faults.full && !this.pins[user]) return statusFull
    this.pins[user] = { status: userstatus, type: usertype, pin }
    return 0
  }

  // afterwards sends the reports that follow the answer to a command.
  afterwards(frame) {
    if (this.silent || !["lockDoor", "unlockDoor"].includes(frame.command.name)) return
    this.reportState()
    this.reportOperation("rf")
  }

  reportState() { this.all.radio.report(this, closuresDoorLock, [[lockState, Type.ENUM8, this.locked ? 1 : 2]]) }

  reportOperation(source, user = 0) {
    this.all.radio.notify(this, closuresDoorLock, "operationEventNotification", {
      opereventsrc: sources[source], opereventcode: this.locked ? 1 : 2, userid: user, pin: Buffer.alloc(0), zigbeelocaltime: 0, data: "",
    })
  }

  operate({ locked, source, user }) {
    this.locked = locked
    this.all.save()
    if (this.silent) return
    this.reportOperation(source, user) // before the state, as some locks do
    this.reportState()
  }

  changeCode({ slot, status, pin, notify }) {
    const code = pin ? (this.pins[slot] ? 4 : 2) : 3 // changed, added, deleted
    if (pin) this.pins[slot] = { status, type: 0, pin }
    else delete this.pins[slot]
    this.all.save()
    if (!notify || this.silent) return
    this.all.radio.notify(this, closuresDoorLock, "programmingEventNotification", {
      programeventsrc: sources.keypad, programeventcode: code, userid: slot, pin: Buffer.alloc(0), usertype: 0, userstatus: status, zigbeelocaltime: 0, data: "",
    })
  }

  codes() { return Object.entries(this.pins).map(([slot, { status, pin }]) => ({ slot: Number(slot), status, pin })) }

  setFault(name, on) {
    this.faults[name] = on
    if (name === "stale") this.frozen = on ? structuredClone({ locked: this.locked, pins: this.pins }) : undefined
    if (name === "held" && on) this.released = new Promise((resolve) => { this.release = resolve })
    if (name === "held" && !on) {
      this.release?.()
      this.released = undefined
    }
    if (!on && (name === "stale" || name === "mute")) this.reportState()
  }

  async renew() {
    for (const name of ["held", "offline", "deaf", "mute", "stale", "full"]) if (this.faults[name]) this.setFault(name, false)
    await this.queue
    this.pins = {}
    this.all.save()
  }
}
exports.Lock = Lock
