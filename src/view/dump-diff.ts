import { counted } from '../model/words.ts'
import { paint } from './paint.ts'
import { groups } from './verify-words.ts'

/** One thing that is not as it was: on which node (empty: of the cluster), what it is, and its value before and after (empty: not there). */
export interface Difference {
  readonly node: string
  readonly what: string
  readonly was: string
  readonly is: string
}

const shownNodes = 8
const shownRows = 60
/** Longer pairs of values stand under each other. */
const lineWidth = 110

/**
 * What changed between two dumps: `-` went, `+` came, `~` has another value. What changed in the same way on several nodes is
 * told once, with their names.
 */
export function diffText(rows: readonly Difference[], color = false): string {
  if (rows.length === 0) return 'Nothing changed.\n'
  const same = groups(rows, ({ what, was, is }) => JSON.stringify([what, was, is])).map(([, of]) => ({
    row: of[0] as Difference,
    where: named(of.map(({ node }) => node || 'cluster')),
  }))
  const blocks = groups(same, ({ where }) => where).map(([where, of]) => {
    const lines = of.slice(0, shownRows).flatMap(({ row }) => rowLines(row, color))
    const more = of.length > shownRows ? [`  and ${of.length - shownRows} more; -o json has them all`] : []
    return [`${paint(color, 'bold', where)}: ${counted(of.length, 'difference')}`, ...lines, ...more, ''].join('\n')
  })
  return `${blocks.join('\n')}\n${counted(rows.length, 'difference')} in all.\n`
}

function named(nodes: readonly string[]): string {
  const shown = nodes.slice(0, shownNodes).join(', ')
  return nodes.length > shownNodes ? `${shown} and ${nodes.length - shownNodes} more` : shown
}

function rowLines({ what, was, is }: Difference, color: boolean): string[] {
  if (was === '') return [paint(color, 'green', `  + ${what}${is === 'there' ? '' : `: ${is}`}`)]
  if (is === '') return [paint(color, 'red', `  - ${what}${was === 'there' ? '' : `: ${was}`}`)]
  if (what.length + was.length + is.length <= lineWidth)
    return [`  ~ ${what}: ${paint(color, 'red', was)} -> ${paint(color, 'green', is)}`]
  return [`  ~ ${what}`, paint(color, 'red', `      - ${was}`), paint(color, 'green', `      + ${is}`)]
}
