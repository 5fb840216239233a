import { type FileHandle, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunEvent } from '../model/event.ts'
import { type Mask, maskedJson } from '../model/mask.ts'
import type { Follow, PhaseEvent, RecordedEvent, RunHeader } from '../model/record.ts'
import { nameOf, ofCluster } from './place.ts'

/** As many runs of a cluster are kept. */
const kept = 20
/** Events reach the disk this often: a killed run misses no more than the last of them. */
const everyMs = 100

export interface Recorder extends Follow {
  /** Ends the record. Resolves with why it is not complete, or undefined; never throws. */
  close(exit: number, result: unknown): Promise<string | undefined>
}

/**
 * Begins the record of a run in a directory of its own under `root` (0700, files 0600), and drops the oldest of the cluster.
 * Returns at once and never throws: a run is not held up by its record, nor does it fail because of it.
 * Every string passes `mask` before it is written.
 */
export function openRecord(
  root: string,
  header: Omit<RunHeader, 'type' | 'format'>,
  options: { readonly mask: Mask; readonly clock: () => number },
): Recorder {
  const { mask, clock } = options
  let dir = ''
  const t0 = clock()
  let pending = ''
  let problem: string | undefined
  let timer: NodeJS.Timeout | undefined
  let file: FileHandle | undefined
  const seen = new Map<string, string>()
  /** In which second a host's transfer was told last: once in a second is enough. */
  const bytesIn = new Map<string, number>()

  /** The same summary comes from every host. */
  const masked: Mask = (text) => {
    const before = seen.get(text)
    if (before !== undefined) return before
    if (seen.size > 5000) seen.clear()
    const after = mask(text)
    seen.set(text, after)
    return after
  }
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    if (problem) return
    try {
      await work()
    } catch (error) {
      problem = (error as Error).message
      pending = ''
    }
  }
  const flush = () =>
    attempt(async () => {
      const text = pending
      pending = ''
      if (text) await file!.appendFile(text)
    })
  const add = (event: RunHeader | RunEvent | PhaseEvent | { type: 'finish'; exit: number }) => {
    if (problem) return
    const line: RecordedEvent = { at: Math.round(clock() - t0), ...event }
    pending += `${lineOf(line, masked)}\n`
    timer ??= setTimeout(() => {
      timer = undefined
      written = written.then(flush)
    }, everyMs).unref()
  }

  let written = attempt(async () => {
    await mkdir(root, { recursive: true, mode: 0o700 })
    dir = await ownDir(root, header)
    file = await open(join(dir, 'events.ndjson'), 'ax', 0o600)
  })
  written = written.then(flush)
  add({ type: 'run', format: 1, ...header })

  return {
    phase: (phase) => add({ type: 'phase', phase }),
    event: (event) => {
      if (event.type !== 'bytes') return add(event)
      const second = Math.floor((clock() - t0) / 1000)
      if (bytesIn.get(event.host) === second) return
      bytesIn.set(event.host, second)
      add(event)
    },
    async close(exit, result) {
      add({ type: 'finish', exit })
      clearTimeout(timer)
      await written.then(flush)
      await attempt(async () => {
        const report = maskedJson({ ...header, ms: Math.round(clock() - t0), exit, result }, mask, 2)
        await writeFile(join(dir, 'report.json'), `${report}\n`, { mode: 0o600 })
        await drop(root, header.cluster)
      })
      await file?.close().catch(() => undefined)
      return problem
    },
  }
}

/** Most events are an action's, and only its summary is not a name of ours: to look into every string would cost four times as much. */
function lineOf(event: RecordedEvent, mask: Mask): string {
  return 'summary' in event ? JSON.stringify({ ...event, summary: mask(event.summary) }) : maskedJson(event, mask)
}

/** A new directory. One that began in the same millisecond as another run of the cluster takes the next that is free. */
async function ownDir(root: string, header: { began: string; verb: string; cluster: string }): Promise<string> {
  for (let at = Date.parse(header.began); ; at++) {
    const dir = join(root, nameOf(new Date(at), header.verb, header.cluster))
    try {
      await mkdir(dir, { mode: 0o700 })
      return dir
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

/** Drops the oldest records of a cluster. */
async function drop(root: string, cluster: string): Promise<void> {
  const old = ofCluster(await readdir(root), cluster).slice(0, -kept)
  for (const name of old) await rm(join(root, name), { recursive: true, force: true })
}
