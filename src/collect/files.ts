import { gunzipSync } from 'node:zlib'
import type { Mask } from '../model/mask.ts'
import { mostBytes } from './script.ts'

/** One thing that a host was asked for, as it goes into the archive: secrets are out. */
export interface Collected {
  /** Relative to the host's directory. */
  readonly name: string
  /** undefined: there was nothing, and `note` says why. */
  readonly text?: string
  /** What a reader has to know: cut, ended with a status, not there. */
  readonly note?: string
}

/** Reads what collect.sh told: base64 of gzip of sections. `cut` is that the host had more to tell than it may. */
export function readCollected(out: string, mark: string, mask: Mask): { files: Collected[]; cut: boolean } {
  const bytes = gunzipSync(Buffer.from(out, 'base64'), { maxOutputLength: 2 * mostBytes })
  const [, ...sections] = bytes.toString('utf8').split(`\n${mark} file `)
  const cut = !sections.at(-1)?.startsWith('END\n')
  const all = sections.map((section, i) => readSection(section, mark, mask, cut && i === sections.length - 1))
  return { files: cut ? all : all.slice(0, -1), cut }
}

function readSection(section: string, mark: string, mask: Mask, last: boolean): Collected {
  const at = section.indexOf('\n')
  const name = safe(at < 0 ? section : section.slice(0, at))
  const body = at < 0 ? '' : section.slice(at + 1)
  const absent = new RegExp(`^${mark} absent (.*)`).exec(body)
  if (absent) return { name, note: `not there: ${absent[1]}` }
  const whole = body.startsWith(`${mark} whole\n`)
  const end = body.lastIndexOf(`\n${mark} status `)
  const status = end < 0 ? '' : body.slice(end + mark.length + 9).trim()
  const inside = body.slice(whole ? mark.length + 7 : 0, end < 0 ? undefined : end)
  const text = fullLines(inside, !whole, end < 0)
  const notes = [
    ...(last
      ? ['cut: the rest of it, and all after it, was more than a host may tell']
      : whole
        ? []
        : ['cut: only its end is here']),
    ...(status && status !== '0' ? [status === '124' ? 'took too long' : `ended with status ${status}`] : []),
  ]
  return { name, text: mask(text), ...(notes.length > 0 && { note: notes.join('; ') }) }
}

/** Without the half lines at a cut: half a secret has no form by which it could be known. */
function fullLines(text: string, cutBefore: boolean, cutAfter: boolean): string {
  const from = cutBefore ? text.indexOf('\n') + 1 : 0
  return text.slice(from, cutAfter ? text.lastIndexOf('\n') + 1 : undefined)
}

/** A name that stays within its directory, whatever a host calls its files. */
function safe(name: string): string {
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.' && part !== '..')
    .join('/')
}
