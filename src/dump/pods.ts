import { isIp } from '../model/cidr.ts'
import type { Cni, Neighbour, NodeDump, PodNet, Route } from '../model/dump.ts'
import { lazily, lines } from './lazy.ts'
import { linksOf } from './links.ts'
import { wholeRoutes } from './tables.ts'

/** How the tables are read; the readers remember what they have read. */
export interface Readers {
  routes(text: string | undefined): Route[]
  neighbours(text: string | undefined): Neighbour[]
}

/** The network namespaces of pods: the parts `pod/INODE/...`. */
export function podNetsOf(dump: NodeDump, readers: Readers): PodNet[] {
  const inodes = Object.keys(dump.parts).flatMap((name) => /^pod\/(\d+)\/about$/.exec(name)?.[1] ?? [])
  return inodes.map((inode) => {
    const part = (name: string) => dump.parts[`pod/${inode}/${name}`]
    const about = new Map(lines(part('about')).map((line) => [line.split(' ')[0], line.slice(line.indexOf(' ') + 1)]))
    const forward = about.get('ip_forward')
    return lazily<PodNet>({
      inode: () => Number(inode),
      pid: () => Number(about.get('pid')),
      uid: () => uidOf(about.get('cgroup') ?? ''),
      ...(forward && { ipForward: () => forward }),
      links: () => linksOf(part('links')),
      routes: () => readers.routes(wholeRoutes(part('routes'))),
      neighbours: () => readers.neighbours(part('neighbours')),
    })
  })
}

/**
 * The uid of a pod in a cgroup path: kubepods-burstable-pod37718aac_2114_40d8_8899_89dcaf5c2417.slice by systemd,
 * kubepods/burstable/pod37718aac-2114-40d8-8899-89dcaf5c2417 by cgroupfs.
 */
function uidOf(cgroup: string): string {
  return (/pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})/.exec(cgroup)?.[1] ?? '').replaceAll(
    '_',
    '-',
  )
}

export function cniOf(dump: NodeDump): Cni {
  const leases = new Map<string, string[]>()
  for (const line of lines(dump.parts['cni-leases'])) {
    const [network = '', ip = ''] = line.split('/')
    const known = leases.get(network) ?? []
    if (isIp(ip)) known.push(ip)
    leases.set(network, known)
  }
  const configs = Object.entries(dump.parts)
    .flatMap(([name, text]) => (name.startsWith('cni-conf/') ? [{ name: name.slice(9), text }] : []))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  return { configs, plugins: lines(dump.parts['cni-plugins']), leases }
}
