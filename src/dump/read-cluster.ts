import { gunzipSync } from 'node:zlib'
import type { ClusterView } from '../model/dump.ts'
import type { Api, Lists } from './api.ts'
import { clusterView } from './cluster.ts'

/** Reads what {@link clusterScript} printed. Throws an Error that says why where it is not whole. */
export function readCluster(out: string, mark: string): ClusterView {
  const text = gunzipSync(Buffer.from(out, 'base64')).toString('utf8')
  const [, ...sections] = `\n${text}`.split(`\n${mark} `)
  const of = new Map(
    sections.map((section) => [section.slice(0, section.indexOf('\n')), section.slice(section.indexOf('\n') + 1)]),
  )
  if (!of.has('end')) throw new Error('its answer broke off')
  const json = (name: string): Api => JSON.parse(of.get(name)?.trim() || '{}')
  const byKind = listsByKind(json('lists'))
  if (!byKind.nodes) throw new Error('the API server told of no node')
  const maps = [json('configs'), json('flannel')].flatMap(({ kind, items, ...it }: Api) =>
    kind === 'ConfigMap' ? [{ kind, ...it }] : (items ?? []),
  )
  return clusterView({ ...byKind, version: json('version'), configmaps: { items: maps } })
}

/** kubectl puts the objects of all kinds into one list. */
function listsByKind({ items = [] }: Api): Lists {
  const lists: Record<string, { items: Api[] }> = {}
  for (const it of items as Api[]) {
    const name = names[it.kind as keyof typeof names]
    if (!name) continue
    lists[name] ??= { items: [] }
    lists[name].items.push(it)
  }
  return lists
}

const names = {
  Node: 'nodes',
  Pod: 'pods',
  Service: 'services',
  EndpointSlice: 'endpointslices',
  NetworkPolicy: 'networkpolicies',
  Ingress: 'ingresses',
  DaemonSet: 'daemonsets',
} as const satisfies Record<string, keyof Lists>
