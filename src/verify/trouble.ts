import type { Code } from '../model/codes.ts'
import { Failure } from '../model/trouble.ts'

/** What is wrong and how it shows. */
export interface Fault {
  readonly code: Code
  readonly evidence: string
}

/** A failed call as a verdict's code and evidence; a defect is thrown on. */
export function troubleOf(cause: unknown): Fault {
  if (!(cause instanceof Failure)) throw cause
  const [first] = cause.troubles
  return {
    code: first?.code ?? 'DEFECT',
    evidence: [first?.message, first?.evidence?.[0]?.line].filter(Boolean).join(': '),
  }
}
