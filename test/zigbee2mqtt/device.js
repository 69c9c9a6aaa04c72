// A simulated Zigbee device that stores attributes, and answers reads and writes.
"use strict"

class Device {
  constructor(ieee, nwk, name, model, attributes = {}) {
    Object.assign(this, { ieee, nwk, name, model, attributes })
    this.queue = Promise.resolve() // of the frames to the device
    this.released = undefined // a promise for which the frames wait
    this.sent = 0 // commands
  }
  // memory is everything that survives a restart.
  memory() { return { attributes: this.attributes } }

  // arrived is called when a frame is sent to the device, handle when it is its turn, and afterwards when it was answered.
  arrived(frame) { if (this.isCommand(frame)) this.sent++ }
  handle(frame) { return ["defaultRsp", { cmdId: frame.command.ID, statusCode: 0 }] }
  afterwards() {}

  isCommand(frame) { return frame.command.name === "write" }
  read(cluster, attribute) { return this.attributes[`${cluster}.${attribute}`] }
  write(cluster, attribute, type, value) {
    this.attributes[`${cluster}.${attribute}`] = [type, value]
    this.all.save()
    this.all.radio.report(this, cluster, [[attribute, type, value]])
  }

  // entry is the device in the database of Zigbee2MQTT.
  entry(id) {
    const { modelId, manufName, manufId, devId, clusters } = this.model
    const endpoint = { profId: 260, epId: 1, devId, inClusterList: clusters, outClusterList: [], clusters: {}, binds: [], configuredReportings: [], meta: {} }
    return {
      id, type: "EndDevice", ieeeAddr: this.ieee, nwkAddr: this.nwk, manufId, manufName, modelId, powerSource: "Battery", epList: [1],
      endpoints: { 1: endpoint }, zclVersion: 1, interviewCompleted: true, interviewState: "SUCCESSFUL", meta: { configured: 0 }, lastSeen: Date.now(),
    }
  }
}
exports.Device = Device
