import { exits, Failure } from '../model/trouble.ts'

/** What stands in for what: `registry.k8s.io` -> `https://mirror.example/k8s`. Keys have no scheme and no slash at the end. */
export type Mirrors = ReadonlyMap<string, string>

/**
 * Reads `FROM=TO` words. FROM is the beginning of an address, with or without its scheme; TO is http(s), https where nothing
 * is said.
 * @throws Failure USAGE
 */
export function parseMirrors(words: readonly string[]): Mirrors {
  const bare = (address: string): string => address.replace(/^https?:\/\//, '').replace(/\/+$/, '')
  return new Map(
    words.map((word) => {
      const [, from, to] = /^([^=]+)=(.+)$/.exec(word) ?? []
      if (from === undefined || to === undefined || (/^[a-z]+:/.test(to) && !URL.canParse(to)))
        throw new Failure(exits.badInput, {
          code: 'USAGE',
          message: `--mirror ${word} is not FROM=TO`,
          fix: 'for example --mirror registry.k8s.io=https://mirror.example/k8s',
        })
      return [bare(from), `${/^http:/.test(to) ? 'http' : 'https'}://${bare(to)}`] as const
    }),
  )
}

/** The address to go to for `address` (without a scheme): the longest mirror that covers it decides. */
export function resolve(address: string, mirrors: Mirrors): URL {
  const covering = [...mirrors].filter(([from]) => address === from || address.startsWith(`${from}/`))
  const [from, to] = covering.sort(([a], [b]) => b.length - a.length)[0] ?? ['', 'https://']
  return new URL(to + address.slice(from.length))
}
