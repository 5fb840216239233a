import { contains, overlaps, parseCidr, pieces } from '../model/cidr.ts'
import type { Code } from '../model/codes.ts'
import type { Trouble } from '../model/trouble.ts'
import type { Yaml } from './places.ts'
import { hostnameFault } from './schema.ts'

/**
 * The faults that show only when values are put side by side. It takes the raw value of the file and looks at whatever is of the
 * right form, so that these faults come in the same go as those of single values.
 */
export function faultsAcross(yaml: Yaml): Trouble[] {
  const file = record(yaml.value)
  const hosts = Object.entries(record(file.hosts)).map(([name, host]) => ({ name, host: record(host) }))
  const fault = (code: Code, message: string, where: string, fix?: string): Trouble => ({
    code,
    message,
    where,
    ...(fix ? { fix } : {}),
  })

  const names = hosts.flatMap(({ name }) => {
    const broken = hostnameFault(name)
    return broken ? [fault(broken.code, broken.message, yaml.atKey(['hosts', name]), broken.fix)] : []
  })

  const control = hosts.filter(({ host }) => host.role === 'control-plane')
  const roles =
    control.length > 1
      ? control
          .slice(1)
          .map(({ name }) =>
            fault(
              'CONTROL_PLANE_COUNT',
              `${name} is a further control plane; this version deploys exactly one`,
              yaml.at(['hosts', name, 'role']),
              'make it a worker: leave role out',
            ),
          )
      : control.length === 0 && isMapping(file.hosts)
        ? [
            fault(
              'CONTROL_PLANE_MISSING',
              'no host is the control plane',
              yaml.atKey(['hosts']),
              'write role: control-plane at one of the hosts',
            ),
          ]
        : []

  return [...names, ...roles, ...shared(yaml, file, hosts), ...networks(yaml, file, hosts)]
}

type Named = { readonly name: string; readonly host: Record<string, unknown> }

/** Two hosts that one would reach at the same place. */
function shared(yaml: Yaml, file: Record<string, unknown>, hosts: readonly Named[]): Trouble[] {
  const found: Trouble[] = []
  const usual = record(file.ssh).port ?? 22
  const seen = hosts.map(({ name, host }) => ({
    name,
    door: typeof host.address === 'string' ? `${host.address.toLowerCase()} port ${host.port ?? usual}` : undefined,
    node: [host.nodeIP ?? host.address].find((ip) => typeof ip === 'string' && ip !== ''),
    key: host.nodeIP === undefined ? 'address' : 'nodeIP',
  }))
  for (const [i, it] of seen.entries()) {
    const door = seen.slice(0, i).find((other) => it.door !== undefined && other.door === it.door)
    const node = seen.slice(0, i).find((other) => it.node !== undefined && other.node === it.node)
    const add = (what: string, first: string, value: unknown, key: string) =>
      found.push({
        code: 'ADDRESS_DUPLICATE',
        message: `${it.name} has the same ${what} as ${first}: ${value}`,
        where: yaml.at(['hosts', it.name, key]),
        fix: `correct the ${what} of one of them`,
      })
    if (door) add('address and port', door.name, it.door, 'address')
    // One fault is told once: where the node IP is the address, the line above has said it.
    if (node && !(door && it.key === 'address')) add('nodeIP', node.name, it.node, it.key)
  }
  return found
}

/** Networks that have to be apart, and large enough. */
function networks(yaml: Yaml, file: Record<string, unknown>, hosts: readonly Named[]): Trouble[] {
  const cluster = record(file.cluster)
  const pod = network(cluster.podSubnet ?? '10.244.0.0/16')
  const service = network(cluster.serviceSubnet ?? '10.96.0.0/12')
  const found: Trouble[] = []
  const add = (code: Code, message: string, path: readonly string[], fix: string) =>
    found.push({ code, message, where: yaml.at(path), fix })
  if (pod && service && overlaps(pod.cidr, service.cidr)) {
    const key = cluster.serviceSubnet === undefined ? 'podSubnet' : 'serviceSubnet'
    add(
      'CIDR_OVERLAP',
      `podSubnet ${pod.text} and serviceSubnet ${service.text} overlap`,
      ['cluster', key],
      'give pods and Services networks apart from each other',
    )
  }
  const sides = [
    ['podSubnet', pod],
    ['serviceSubnet', service],
  ] as const
  for (const { name, host } of hosts) {
    for (const key of ['nodeIP', 'address']) {
      const ip = host[key]
      if (typeof ip !== 'string' || (key === 'address' && host.nodeIP === ip)) continue
      for (const [side, its] of sides) {
        if (!its || !contains(its.cidr, ip)) continue
        add(
          'CIDR_OVERLAP',
          `the ${key} of ${name}, ${ip}, lies inside ${side} ${its.text}`,
          ['hosts', name, key],
          `choose another ${side}`,
        )
      }
    }
  }
  if (pod && pod.cidr.prefix <= 24 && pieces(pod.cidr, 24) < hosts.length) {
    add(
      'CIDR_TOO_SMALL',
      `podSubnet ${pod.text} has ${pieces(pod.cidr, 24)} pieces of /24, one per node, but there are ${hosts.length} hosts`,
      ['cluster', 'podSubnet'],
      `write a network of /${24 - Math.ceil(Math.log2(hosts.length))} or larger`,
    )
  }
  return found
}

function network(value: unknown) {
  const cidr = typeof value === 'string' ? parseCidr(value) : null
  return cidr ? { cidr, text: String(value) } : null
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function record(value: unknown): Record<string, unknown> {
  return isMapping(value) ? value : {}
}
