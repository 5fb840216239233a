import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Record, RecordedEvent } from '../model/record.ts'
import { ofCluster } from './place.ts'

/** The directories of a cluster's records, newest first; none where there never was a run. */
export async function recordsOf(root: string, cluster: string): Promise<string[]> {
  const names = await readdir(root).catch(() => [])
  return ofCluster(names, cluster)
    .reverse()
    .map((name) => join(root, name))
}

/** The newest record of a cluster, of this inventory where it has one; undefined where there is none that can be read. */
export async function lastRecord(root: string, cluster: string, inventory: string): Promise<Record | undefined> {
  let newest: Record | undefined
  for (const dir of await recordsOf(root, cluster)) {
    const record = await readRecord(dir)
    if (record?.header.inventory === inventory) return record
    newest ??= record
  }
  return newest
}

/** A record as far as it was written: the line that a killed run left half-written is passed over. */
export async function readRecord(dir: string): Promise<Record | undefined> {
  const text = await readFile(join(dir, 'events.ndjson'), 'utf8').catch(() => '')
  const events = text.split('\n').flatMap((line): RecordedEvent[] => {
    const event = parse(line)
    return event ? [event as RecordedEvent] : []
  })
  const header = events[0]
  if (header?.type !== 'run') return undefined
  const report = parse(await readFile(join(dir, 'report.json'), 'utf8').catch(() => '')) as { result?: unknown }
  return { dir, header, events, ...(report && { result: report.result }) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
