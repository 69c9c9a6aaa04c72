// Runs Zigbee2MQTT with a simulated radio: node peer.js URL USER PASSWORD
//
// Everything above the radio is the real program. Its data directory is ZIGBEE2MQTT_DATA; the memory of the devices is there too, so
// that they survive a killed process. A line of JSON on standard input calls a function of the devices, see commands in devices.js:
// ["operate", "0x000d6f0000000001", {"locked": false}]. File descriptor 3 gets a line with the result of each, or {"error": TEXT}.
"use strict"
const fs = require("node:fs")
const path = require("node:path")
const readline = require("node:readline")
const { Devices } = require("./devices.js")
const { useRadio } = require("./radio.js")

const [server, user, password] = process.argv.slice(2)
const data = process.env.ZIGBEE2MQTT_DATA
process.env.GIT_DIR = "/nonexistent" // otherwise the program compares its version with a repository around it

const devices = new Devices(path.join(data, "devices.json"))
if (!fs.existsSync(path.join(data, "configuration.yaml"))) {
  fs.writeFileSync(path.join(data, "configuration.yaml"), JSON.stringify({ // which is YAML too
    version: 5,
    mqtt: { server, user, password, base_topic: "zigbee2mqtt", version: 5 },
    serial: { port: "/dev/null", adapter: "zstack" },
    frontend: { enabled: false },
    homeassistant: { enabled: true },
    availability: { enabled: true },
    advanced: {
      log_output: ["console"], last_seen: "ISO_8601", channel: 11, pan_id: 6754,
      ext_pan_id: Array(8).fill(221), network_key: [1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13],
    },
    devices: devices.configuration(),
  }))
  fs.writeFileSync(path.join(data, "database.db"), devices.database().map((d) => JSON.stringify(d)).join("\n"))
}
useRadio(devices)
require("zigbee2mqtt/index.js").start()

const answers = fs.createWriteStream(null, { fd: 3 })
readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  let answer
  try {
    const [name, ...args] = JSON.parse(line)
    answer = { result: await devices.commands[name](...args) }
  } catch (e) {
    answer = { error: String(e) }
  }
  answers.write(JSON.stringify(answer) + "\n")
}).on("close", () => process.exit()) // the test has ended
