import { expect, it } from 'vitest'
import type { Code } from '../../src/model/codes.ts'
import type { OpenDump } from '../dump/healthy.ts'
import { type Mode, policies } from '../dump/policies.ts'
import { foundIn } from './findings.ts'

/** One way to break the cluster with hostPorts and traffic policies, and what has to be said of it. */
export interface Case {
  readonly fault: string
  readonly mode: Mode
  readonly edit: (dump: OpenDump) => void
  readonly code: Code
  readonly where: string
  /** A part of the message, and of a line of the evidence. */
  readonly says: string
  readonly shows: string
}

/** One test for each case: of all causes its own comes out, once, and nothing else. */
export function eachIsNamed(cases: readonly Case[]): void {
  it.each(cases)('$code in $mode: $fault', ({ mode, edit, code, where, says, shows }) => {
    const dump = policies(mode)
    edit(dump)
    const all = foundIn(dump)
    expect(all.map((one) => `${one.code} ${one.where}`)).toEqual([`${code} ${where}`])
    expect(all[0]!.message).toContain(says)
    expect(all[0]!.evidence.map(({ line }) => line).join('\n')).toContain(shows)
  })
}
