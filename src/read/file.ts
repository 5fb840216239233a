import { readFileSync } from 'node:fs'
import { exits, Failure } from '../model/trouble.ts'

/** The text of a file that the user named; `what` it is, in words: the inventory. Failure (exit 2) FILE_NOT_FOUND. */
export function textOf(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Failure(exits.badInput, {
      code: 'FILE_NOT_FOUND',
      message: `${what} does not exist or cannot be read`,
      where: file,
      evidence: [{ source: file, line: (error as Error).message }],
      fix: `correct the path of ${what}`,
    })
  }
}
