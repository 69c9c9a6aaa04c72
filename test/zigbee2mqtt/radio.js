// A radio adapter for zigbee-herdsman, the library of Zigbee2MQTT, that passes frames to simulated devices.
"use strict"
const path = require("node:path")
const herdsman = path.join(path.dirname(require.resolve("zigbee-herdsman/package.json")), "dist")
const { Adapter } = require(path.join(herdsman, "adapter/adapter.js"))
const Zcl = require(path.join(herdsman, "zspec/zcl"))

const toClient = Zcl.Direction.SERVER_TO_CLIENT

// nothing implements the functions of an adapter that these devices do not need.
const nothing = async () => {}

class Radio extends Adapter {
  constructor(devices, ...options) {
    super(...options)
    this.devices = devices
    this.hasZdoMessageOverhead = false
    this.manufacturerID = 0
    this.sequence = 0
    devices.radio = this
  }
  async start() { return "resumed" }
  async getCoordinatorIEEE() { return "0x00124b0000000001" }
  async getCoordinatorVersion() { return { type: "simulated", meta: { revision: "1" } } }
  async supportsBackup() { return false }
  async getNetworkParameters() { return { panID: 6754, extendedPanID: "0xdddddddddddddddd", channel: 11, nwkUpdateID: 0 } }
  async sendZdo(_ieee, _nwk, _cluster, _payload, disableResponse) { return disableResponse ? undefined : [0, {}] }
  waitFor() { return { promise: new Promise(() => {}), cancel() {} } }

  // receive lets Zigbee2MQTT receive a frame of a device.
  receive(device, frame) {
    const data = frame.toBuffer()
    const payload = {
      clusterID: frame.cluster.ID, header: Zcl.Header.fromBuffer(data), address: device.nwk, data, endpoint: 1, linkquality: 120,
      groupID: 0, wasBroadcast: false, destinationEndpoint: 1,
    }
    setImmediate(() => this.emit("zclPayload", payload))
    return payload
  }

  next() { return (this.sequence = (this.sequence + 1) % 256) }

  // report sends attributes that a device reports: a list of [id, type, value].
  report(device, cluster, attributes) {
    const list = attributes.map(([attrId, dataType, attrData]) => ({ attrId, dataType, attrData }))
    this.receive(device, Zcl.Frame.create(Zcl.FrameType.GLOBAL, toClient, true, undefined, this.next(), "report", cluster, list, {}))
  }

  // notify sends a command of a device.
  notify(device, cluster, command, payload) {
    this.receive(device, Zcl.Frame.create(Zcl.FrameType.SPECIFIC, toClient, true, undefined, this.next(), command, cluster, payload, {}))
  }

  // announce lets a device announce itself, as after a change of its battery.
  announce(device) {
    const cluster = require(path.join(herdsman, "zspec/zdo")).ClusterId.END_DEVICE_ANNOUNCE
    this.emit("zdoResponse", cluster, [0, { nwkAddress: device.nwk, eui64: device.ieee, capabilities: {} }])
  }

  // sendZclFrameToEndpoint passes a frame to a device and returns its answer. Each device handles one frame at a time.
  sendZclFrameToEndpoint(ieee, _nwk, _endpoint, frame) {
    const device = this.devices.byAddress.get(ieee)
    device.arrived(frame)
    const answer = device.queue.then(() => this.exchange(device, frame))
    device.queue = answer.catch(() => {})
    return answer
  }

  async exchange(device, frame) {
    await device.released
    const global = frame.header.frameControl.frameType === Zcl.FrameType.GLOBAL
    const [command, payload] = global ? this.attributes(device, frame) : device.handle(frame)
    const answer = Zcl.Frame.create(global || command === "defaultRsp" ? Zcl.FrameType.GLOBAL : Zcl.FrameType.SPECIFIC, toClient, true,
      frame.header.manufacturerCode ?? undefined, frame.header.transactionSequenceNumber, command, frame.cluster.ID, payload, {})
    const received = this.receive(device, answer)
    device.afterwards(frame)
    return received
  }

  // attributes handles a frame about attributes. It returns the answer.
  attributes(device, frame) {
    const cluster = frame.cluster.ID
    switch (frame.command.name) {
      case "read":
        return ["readRsp", frame.payload.map(({ attrId }) => {
          const found = device.read(cluster, attrId)
          return found ? { attrId, status: 0, dataType: found[0], attrData: found[1] } : { attrId, status: Zcl.Status.UNSUPPORTED_ATTRIBUTE }
        })]
      case "write":
        for (const { attrId, dataType, attrData } of frame.payload) device.write(cluster, attrId, dataType, attrData)
        return ["writeRsp", [{ status: 0 }]]
      case "configReport":
        return ["configReportRsp", [{ status: 0 }]]
    }
    return ["defaultRsp", { cmdId: frame.command.ID, statusCode: 0 }]
  }
}
for (const name of ["stop", "reset", "backup", "addInstallCode", "permitJoin", "setChannelInterPAN", "restoreChannelInterPAN",
  "sendZclFrameToGroup", "sendZclFrameToAll", "sendZclFrameInterPANToIeeeAddr", "sendZclFrameInterPANBroadcast"]) {
  Radio.prototype[name] = nothing
}

// useRadio makes Zigbee2MQTT use a Radio to these devices.
exports.useRadio = (devices) => { Adapter.create = async (...options) => new Radio(devices, ...options) }
exports.Type = Zcl.DataType
