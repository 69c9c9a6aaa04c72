// Runs the server of Z-Wave JS with a simulated radio: node peer.mjs PORT
//
// Everything above the radio is the real program. The working directory contains its data and the memory of the devices, so that they
// survive a killed process. A line of JSON on standard input calls a function of the devices, see commands in devices.mjs:
// ["operate", 2, {"locked": false}]. File descriptor 3 gets a line with the result of each, or {"error": TEXT}. The first line there
// means that all devices are ready.
import fs from "node:fs"
import readline from "node:readline"
import { ZwavejsServer } from "@zwave-js/server"
import { MockController, MockNode } from "@zwave-js/testing"
import { createAndStartDriverWithMockPort, createDefaultMockControllerBehaviors, createDefaultMockNodeBehaviors } from "zwave-js/Testing"
import { Devices, nodes } from "./devices.mjs"

const port = Number(process.argv[2])
const { driver, mockPort, serial, continueStartup } = await createAndStartDriverWithMockPort({
  portAddress: "/tty/simulated",
  storage: { cacheDir: "cache", throttle: "fast" },
  logConfig: { enabled: false },
  testingHooks: { skipFirmwareIdentification: true },
  attempts: { sendData: 1 },
  timeouts: { report: 500 },
})
const controller = await MockController.create({ homeId: 0x7e570001, ownNodeId: 1, mockPort, serial })
controller.defineBehavior(...createDefaultMockControllerBehaviors())
const devices = new Devices("devices.json", driver)
for (const options of nodes) {
  const node = await MockNode.create({ ...options, controller })
  controller.addNode(node)
  node.defineBehavior(...createDefaultMockNodeBehaviors())
  devices.add(node)
}

const answers = fs.createWriteStream(null, { fd: 3 })
driver.on("error", (e) => console.error("error of Z-Wave JS:", e.message))
driver.once("all nodes ready", async () => {
  const quiet = { error: console.error, warn() {}, info() {}, debug() {} }
  const server = new ZwavejsServer(driver, { port, host: "127.0.0.1", logger: quiet })
  await server.start()
  answers.write(JSON.stringify({ result: "ready" }) + "\n")
  readline.createInterface({ input: process.stdin }).on("line", async (line) => {
    let answer
    try {
      const [name, ...args] = JSON.parse(line)
      answer = { result: await devices.commands[name](...args) }
    } catch (e) {
      answer = { error: String(e.stack ?? e) }
    }
    answers.write(JSON.stringify(answer) + "\n")
  }).on("close", () => process.exit()) // the test has ended
})
continueStartup()
