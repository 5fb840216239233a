import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Reply } from '../model/fact.ts'
import type { LookOptions } from '../model/ports.ts'
import { type Sh, sh } from '../model/shell.ts'
import { Failure } from '../model/trouble.ts'
import { pause } from './abort.ts'
import { exec } from './exec.ts'
import { interrupted } from './fault.ts'
import { type Frame, frame, lines } from './frame.ts'
import { endTrouble, isLost, stillThere, timeIsUp, timeWasUp } from './job-trouble.ts'
import type { Links } from './lasting.ts'
import type { Link } from './link.ts'

/** How much longer than its time a job may seem to take: the host ends it, and its last words have to come here. */
const graceMs = 45_000
/** How long a job may wait for the end of another one that runs on the host. */
const queueMs = 15 * 60_000
/** The pause before a job is looked at again over the same connection. */
const [firstPauseMs, longestPauseMs] = [100, 5000]

const starter = text('job-start.sh')
const runner = text('job-run.sh')

/** A job as far as it is known here. */
interface Job {
  readonly id: string
  readonly body: Buffer
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  /** Aborted when it should long have ended. */
  readonly late: AbortController
  /** Reads its log, over however many connections that comes. */
  readonly log: Frame
  /** Bytes of the log that were read. */
  read: number
  /** It is known to be in place on the host. */
  arrived: boolean
  /** Which boot of the host it is, as soon as it is known. */
  boot: string
  /** A starter was lost before it said that the job is in place: it may still be on its way. */
  astray: boolean
}

/**
 * Runs a script apart from the connection, and follows its output to the end over as many connections as that takes. It runs
 * once. Failure: CONNECTION_LOST, HOST_REBOOTED, TIMEOUT, ACTION_FAILED, DISK_FULL, READ_ONLY, INTERRUPTED, and what opening a
 * connection may bring.
 */
export async function runJob(
  links: Links,
  patienceMs: number,
  script: Sh,
  timeoutMs: number,
  { signal, onLine }: LookOptions,
): Promise<Reply> {
  const { host } = links
  const id = randomBytes(12).toString('hex')
  const toLines = onLine && lines(onLine)
  const job: Job = {
    id,
    body: Buffer.from(script),
    timeoutMs,
    signal,
    late: new AbortController(),
    log: frame(id, toLines?.feed),
    read: 0,
    arrived: false,
    boot: '',
    astray: false,
  }
  if (signal?.aborted) throw interrupted(host, 'a run')
  for (let [idle, since] = [0, performance.now()]; ; ) {
    const before = job.read
    const link = await links.get(patienceMs, signal)
    const ended = await follow(link, job)
    if (job.log.state === 'ended') break
    const lost = ended instanceof Failure ? ended : endTrouble(host, ended, job.boot)
    if (job.read > before) [idle, since] = [0, performance.now()]
    else if (performance.now() - since > patienceMs) throw lost
    if (!link.gone.aborted) await pause(Math.min(longestPauseMs, firstPauseMs * 2 ** idle++))
  }
  toLines?.end()
  const out = job.log.bytes().toString('utf8')
  if (job.log.status === timeWasUp) throw timeIsUp(host, timeoutMs, out)
  return { out, err: '', code: job.log.status }
}

/**
 * Starts the job where it is not yet, and follows it over one connection. Where its log was not read to the end, gives back what
 * the starter ended with, or why the connection broke.
 */
async function follow(link: Link, job: Job): Promise<Reply | Failure> {
  const { host } = link
  let guard: NodeJS.Timeout | undefined
  const watch = () => {
    if (job.log.state !== 'before') guard ??= setTimeout(() => job.late.abort(), job.timeoutMs + graceMs)
  }
  const body = job.arrived ? Buffer.alloc(0) : job.body
  let here = false
  job.boot ||= link.boot ?? ''
  watch()
  try {
    return await exec(link, {
      name: 'a run',
      script: start(job),
      timeoutMs: queueMs + job.timeoutMs + graceMs,
      options: { signal: job.late.signal },
      talk: {
        body,
        take: reader(job, () => {
          here = true
          watch()
        }),
        ended: () => job.log.state === 'ended',
        bye: () => (job.astray ? 'keep\n' : 'done\n'),
        signal: job.signal,
      },
    })
  } catch (error) {
    if (job.late.signal.aborted) throw stillThere(host, job.timeoutMs, job.log.bytes().toString('utf8'))
    if (!isLost(error)) throw error
    return error
  } finally {
    if (!here && body.length > 0) job.astray = true
    clearTimeout(guard)
    job.boot ||= link.boot ?? ''
  }
}

/** Takes the starter's output: a line that says that the job is in place, then its log. */
function reader(job: Job, onLog: () => void): (chunk: Buffer) => void {
  let place = false
  return (chunk) => {
    let rest = chunk
    if (!place) {
      const at = rest.indexOf('\n')
      if (at < 0) return
      rest = rest.subarray(at + 1)
      place = true
      job.arrived = true
    }
    job.read += rest.length
    job.log.feed(rest)
    onLog()
  }
}

function start(job: Job): Sh {
  const size = job.arrived ? 0 : job.body.length
  const values = sh`id=${job.id} size=${size} seconds=${job.timeoutMs / 1000} skip=${job.read}`
  return `${values} ${sh`arrived=${job.arrived ? 'yes' : ''} boot=${job.boot} runner=${runner}`}\n${starter}`
}

/** A template without its comments: it travels with every job. */
function text(name: string): Sh {
  const whole = readFileSync(new URL(`../../templates/${name}`, import.meta.url), 'utf8')
  return whole.replace(/^ *#.*\n/gm, '')
}
