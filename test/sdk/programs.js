// Builds a program of the repository and runs it on a free port with a temporary directory.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export const apiKey = 'seam_sdktestkey0000000001'
export const workspaceId = '67c58f1f-f148-4415-a63c-dc6c145c6b91'

/** Runs the standalone example. */
export const startStandalone = () => start('.', './examples/standalone', (scratch) => ['-dir', join(scratch, 'data')], /Serving the API on (http:\/\/\S+);/)

/** Runs the demo of the standalone example. Its endpoint is the link to the portal that it prints. */
export const startDemo = () => start('.', './examples/standalone', (scratch) => ['-demo', '-dir', join(scratch, 'data')], /^ *(http:\/\/\S+\/portal\/\w+)\n/m)

/** Runs the server with simulated devices. Their login is "demo" with the password "demo". */
export const startServer = () => start('cmd/customerportal', '.', () => ['-store', 'memory:', '-drivers', 'simulated'], /msg=serving url=(http:\/\/\S+) /)

/** Builds a package of a module and runs it. `serving` finds the endpoint in its output. */
async function start(module, pkg, args, serving) {
  const scratch = mkdtempSync(join(tmpdir(), 'customerportal-sdk-'))
  const program = join(scratch, 'program')
  execFileSync('go', ['build', '-o', program, pkg], { cwd: join(root, module), stdio: 'inherit' })
  const child = spawn(program, ['-addr', '127.0.0.1:0', ...args(scratch)], {
    env: { ...process.env, CUSTOMERPORTAL_API_KEY: apiKey, CUSTOMERPORTAL_WORKSPACE_ID: workspaceId },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let log = ''
  const exited = once(child, 'exit')
  const endpoint = await new Promise((resolve, reject) => {
    const look = () => {
      const found = serving.exec(output + log)
      if (found) resolve(found[1])
    }
    child.stdout.on('data', (text) => { output += text; look() })
    child.stderr.on('data', (text) => { log += text; look() })
    exited.then(([code]) => reject(new Error(`it ended with ${code}: ${output}${log}`)))
  })
  return {
    endpoint,
    log: () => log,
    // stop sends SIGTERM and returns the exit code.
    stop: async () => {
      child.kill('SIGTERM')
      const [code] = await exited
      rmSync(scratch, { recursive: true, force: true })
      return code
    },
  }
}
