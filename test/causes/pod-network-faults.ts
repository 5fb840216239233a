import { dropLines, editCluster, editJson, editLink, nodeOf, type OpenDump, partOf } from '../dump/healthy.ts'

const flannel = 'flannel.alpha.coreos.com/'
export const macOf = (dump: OpenDump, node: string): string =>
  /VtepMAC":"([^"]+)/.exec(
    dump.cluster!.nodes.find(({ name }) => name === node)!.annotations[`${flannel}backend-data`]!,
  )![1]!

export function annotate(dump: OpenDump, node: string, key: string, value: string): void {
  editCluster(dump, (cluster) => {
    cluster.nodes.find(({ name }) => name === node)!.annotations[`${flannel}${key}`] = value
  })
}

/** The pod of the fixture on w1, the part of its network namespace, and its link on the node. */
export function podOn(dump: OpenDump, node = 'w1') {
  const pod = dump.cluster!.pods.find((it) => it.node === node && !it.hostNetwork)!
  const part = Object.keys(nodeOf(dump, node).parts).find(
    (name) => name.endsWith('/about') && partOf(dump, node, name).includes(pod.uid.replaceAll('-', '_')),
  )!
  const links: { ifname: string; link_index?: number }[] = JSON.parse(
    partOf(dump, node, part.replace('about', 'links')),
  )
  const peer = links.find(({ ifname }) => ifname === 'eth0')!.link_index
  const own: { ifname: string; ifindex: number }[] = JSON.parse(partOf(dump, node, 'links'))
  return {
    pod,
    name: `${pod.namespace}/${pod.name}`,
    part: (name: string) => part.replace('about', name),
    veth: own.find(({ ifindex }) => ifindex === peer)!.ifname,
  }
}

export const down = (link: { flags: string[]; operstate: string }): void => {
  link.flags = link.flags.filter((flag) => !['UP', 'LOWER_UP'].includes(flag))
  link.operstate = 'DOWN'
}

/** What the kernel does when flannel's device goes down: its routes and neighbours go, the FDB stays. */
export function tunnelDown(dump: OpenDump, node = 'w1'): void {
  editLink(dump, node, 'flannel.1', down)
  dropLines(dump, node, 'routes', 'via 10.244')
  dropLines(dump, node, 'neighbours', 'dev flannel.1')
}

export function linkGone(dump: OpenDump, node: string, name: string): void {
  editJson(dump, node, 'links', (links: { ifname: string }[]) => {
    links.splice(
      links.findIndex(({ ifname }) => ifname === name),
      1,
    )
  })
  for (const part of ['routes', 'neighbours', 'fdb'])
    if (partOf(dump, node, part).includes(`dev ${name} `)) dropLines(dump, node, part, `dev ${name} `)
}
