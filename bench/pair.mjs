import { spawn } from 'node:child_process'
import { homedir } from 'node:os'

/** Runs two things in turn, `rounds` times, and prints the median of the ratios ours/plain. Each returns its milliseconds. */
export async function pair({ name, goal, rounds, plain, ours }) {
  const ratios = []
  for (let round = 1; round <= rounds; round += 1) {
    const theirs = await plain()
    const mine = await ours()
    ratios.push(mine / theirs)
    console.log(
      `round ${round}: plain ${(theirs / 1000).toFixed(2)} s, k8snet ${(mine / 1000).toFixed(2)} s, ratio ${(mine / theirs).toFixed(2)}`,
    )
  }
  ratios.sort((a, b) => a - b)
  console.log(`ratio ${name} ${ratios[Math.floor(ratios.length / 2)].toFixed(2)} goal ${goal}`)
}

/** Runs a command to its end and returns its milliseconds and output; throws when it fails. */
export function timed(program, args, options = {}) {
  const began = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options })
    let out = ''
    let err = ''
    child.stdout.on('data', (data) => {
      out += data
    })
    child.stderr.on('data', (data) => {
      err += data
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve({ ms: performance.now() - began, out })
      else reject(new Error(`${program} ${args.join(' ')} ended with ${code}\n${err}${out.slice(-2000)}`))
    })
    child.stdin.end(options.input ?? '')
  })
}

export const k8snet = (...args) => timed(process.execPath, ['dist/cli.js', ...args])

/** The outside world for a room of k8snet that a bench uses directly. */
export const io = () => ({
  cwd: process.cwd(),
  env: {},
  user: 'root',
  home: homedir(),
  signal: new AbortController().signal,
  err: () => undefined,
})
