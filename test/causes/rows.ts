import { expect, it } from 'vitest'
import type { Breaks, Cause } from '../../src/model/cause.ts'
import type { Code } from '../../src/model/codes.ts'
import { broken, healthy, type OpenDump } from '../dump/healthy.ts'
import { findings } from './findings.ts'

/** One way to break a cluster that was well, and the one finding that has to come of it. */
export interface Row {
  readonly code: Code
  readonly fault: string
  readonly edit: (dump: OpenDump) => void
  readonly where: string | ((dump: OpenDump) => string)
  /** A part of the evidence, literally: of a line, or of the command that prints it. */
  readonly shows: string
  readonly breaks?: Breaks
  readonly level?: 'warning'
  /** The cluster that is broken; the healthy one of two nodes. */
  readonly begin?: () => OpenDump
}

/** One test for each row: of all causes its own comes out, once, and nothing else. */
export function eachComesAlone(rows: readonly Row[]): void {
  it.each(rows)(
    '$code comes first and alone: $fault',
    ({ code, edit, where, shows, breaks, level, begin = healthy }) => {
      const dump = begin()
      const found = findings(broken(edit, dump))
      const at = typeof where === 'string' ? where : where(dump)
      expect(found.map((it) => `${it.code} ${it.where}`)).toEqual([`${code} ${at}`])
      expect(found[0]!.evidence.map(({ source, line }) => `${source}\n${line}`).join('\n')).toContain(shows)
      expect(found[0]!.level).toBe(level)
      if (breaks) expect(found[0]!.breaks).toEqual(breaks)
    },
  )
}

/** One test for each change of a cluster that was well: the causes find nothing in it. */
export function eachIsWell(rows: readonly (readonly [string, (dump: OpenDump) => void])[], of: readonly Cause[]): void {
  it.each(rows)('%s', (_, edit) => {
    expect(findings(broken(edit), of)).toEqual([])
  })
}
