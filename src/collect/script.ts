import { quote, type Sh } from '../model/shell.ts'

/** What a host tells at most, in bytes, before it is compressed. */
export const mostBytes = 20 * 1024 * 1024

/** The script that tells what a host is like: templates/collect.sh with its values. */
export function collectScript(template: string, mark: string): Sh {
  return template.replace('@MARK@', quote(mark)).replace('@MAX@', String(mostBytes))
}
