import type { FullScene } from './case.ts'
import type { NodeServers } from './servers.ts'

/** What the full level knows besides, of the nodes whose servers run. */
export function fullScene(servers: ReadonlyMap<string, NodeServers>, egress: string | undefined): FullScene {
  const ready = [...servers.values()].flatMap((it) => [...it.ready])
  return {
    resolv: new Map([...servers].map(([node, { resolv }]) => [node, resolv])),
    hosts: new Set(ready.filter((name) => name.startsWith('h-')).map((name) => name.slice('h-'.length))),
    extras: new Set(ready),
    ...(egress !== undefined && { egress }),
  }
}
