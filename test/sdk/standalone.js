// Builds the standalone example and runs it on a free port with a temporary directory.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export const apiKey = 'seam_sdktestkey0000000001'
export const workspaceId = '67c58f1f-f148-4415-a63c-dc6c145c6b91'

export async function startStandalone() {
  const scratch = mkdtempSync(join(tmpdir(), 'customerportal-sdk-'))
  const program = join(scratch, 'standalone')
  execFileSync('go', ['build', '-o', program, './examples/standalone'], { cwd: root, stdio: 'inherit' })
  const child = spawn(program, ['-addr', '127.0.0.1:0', '-dir', join(scratch, 'data')], {
    env: { ...process.env, CUSTOMERPORTAL_API_KEY: apiKey, CUSTOMERPORTAL_WORKSPACE_ID: workspaceId },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let log = ''
  child.stderr.on('data', (text) => { log += text })
  const exited = once(child, 'exit')
  const endpoint = await new Promise((resolve, reject) => {
    child.stdout.on('data', (text) => {
      output += text
      const found = /Serving the API on (http:\/\/\S+);/.exec(output)
      if (found) resolve(found[1])
    })
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
