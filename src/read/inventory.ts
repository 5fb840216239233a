import { accessSync, constants, readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { isIp } from '../model/cidr.ts'
import type { Host, Inventory } from '../model/inventory.ts'
import { Secret } from '../model/secret.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { faultsAcross } from './across.ts'
import { troublesOf } from './issues.ts'
import { readYaml, type Yaml } from './places.ts'
import { reach, inventory as schema, type Written } from './schema.ts'

/** What the inventory leaves to the one who calls: `~`, and the user to log in as. */
export interface Defaults {
  readonly home: string
  readonly user: string
}

/**
 * Reads an inventory: checked, with its defaults filled in and its paths absolute (they are relative to the file).
 * Failure (exit 2) with every fault of the file at once, each with `file:line:column`.
 * @param text the content, where it is at hand already
 */
export function readInventory(file: string, text: string | undefined, defaults: Defaults): Inventory {
  const yaml = readYaml(file, text ?? contentOf(file))
  const parsed = schema.safeParse(versionAsWritten(yaml))
  const faults = [
    ...twice(yaml),
    ...(parsed.success ? [] : troublesOf(parsed.error.issues, yaml)),
    ...faultsAcross(yaml),
    ...addresses(yaml),
  ]
  const made = parsed.success ? inventoryOf(file, parsed.data, defaults) : undefined
  if (parsed.success && made) faults.push(...files(made, parsed.data, yaml))
  if (faults.length > 0) throw new Failure(exits.badInput, faults.sort(byPlace))
  return made!
}

/** YAML takes 1.37 for a number; a version is what stands there. */
function versionAsWritten(yaml: Yaml): unknown {
  const written = yaml.written(['cluster', 'kubernetes'])
  const value = yaml.value as { cluster?: { kubernetes?: unknown } }
  if (written === undefined || typeof value?.cluster?.kubernetes !== 'number') return value
  return { ...value, cluster: { ...value.cluster, kubernetes: written } }
}

function inventoryOf(file: string, written: Written, defaults: Defaults): Inventory {
  const { ssh, source } = written
  const { network, ...cluster } = written.cluster
  const path = (value: string) => absolute(value, dirname(resolve(file)), defaults.home)
  const host = ([name, it]: [string, Written['hosts'][string]]): Host => {
    const key = it.key ?? ssh.key
    return {
      name,
      role: it.role,
      address: it.address,
      port: it.port ?? ssh.port ?? 22,
      nodeIP: it.nodeIP ?? it.address,
      user: it.user ?? ssh.user ?? defaults.user,
      become: it.become ?? ssh.become ?? 'sudo',
      knownHosts: path(it.knownHosts ?? ssh.knownHosts ?? '~/.ssh/known_hosts'),
      ...(key ? { key: path(key) } : {}),
      ...(it.hostKey ? { hostKey: it.hostKey } : {}),
      ...(ssh.password ? { password: new Secret(ssh.password) } : {}),
    }
  }
  const { port, ...rest } = network
  return {
    file,
    cluster: {
      ...cluster,
      kubernetes: cluster.kubernetes.replace(/^v/, ''),
      network: port === undefined ? rest : { ...rest, port },
    },
    source: { bundle: path(source.bundle) },
    hosts: Object.entries(written.hosts).map(host),
  }
}

/** Paths are relative to the inventory; ~ is the user's home. */
function absolute(path: string, base: string, home: string): string {
  if (path === '~' || path.startsWith('~/')) return join(home, path.slice(1))
  return isAbsolute(path) ? path : resolve(base, path)
}

/** Files that are named have to be there. Each is told once, where it is named. */
function files(inventory: Inventory, written: Written, yaml: Yaml): Trouble[] {
  const told = new Set<string>()
  return inventory.hosts.flatMap((host) =>
    (['key', 'knownHosts'] as const).flatMap((what): Trouble[] => {
      const path = host[what]
      const own = written.hosts[host.name]?.[what] !== undefined
      const named = own ? ['hosts', host.name, what] : ['ssh', what]
      if (
        path === undefined ||
        (!own && written.ssh[what] === undefined) ||
        told.has(`${named} ${path}`) ||
        readable(path)
      )
        return []
      told.add(`${named} ${path}`)
      return [
        {
          code: 'FILE_NOT_FOUND',
          message: `${named.join('.')}: ${path} does not exist or cannot be read`,
          where: yaml.at(named),
          fix: 'correct the path; it is relative to the inventory',
        },
      ]
    }),
  )
}

/** Where nodeIP is left out, the address is it, and so has to be one. */
function addresses(yaml: Yaml): Trouble[] {
  const hosts = (yaml.value as { hosts?: unknown })?.hosts
  if (typeof hosts !== 'object' || hosts === null || Array.isArray(hosts)) return []
  return Object.entries(hosts).flatMap(([name, host]): Trouble[] => {
    const { address, nodeIP } = (host ?? {}) as { address?: unknown; nodeIP?: unknown }
    if (typeof address !== 'string' || nodeIP !== undefined || reach(address)) return []
    const why = !isIp(address)
      ? 'is a name'
      : address.includes(':')
        ? 'is IPv6'
        : address.startsWith('127.')
          ? 'is loopback'
          : undefined
    if (!why) return []
    return [
      {
        code: 'VALUE_MISSING',
        message: `hosts.${name}: address ${address} ${why}, so nodeIP has to be said`,
        where: yaml.at(['hosts', name, 'address']),
        fix: `write hosts.${name}.nodeIP: the IPv4 address that the other hosts reach it by`,
      },
    ]
  })
}

function twice(yaml: Yaml): Trouble[] {
  return yaml.twice.map(({ path, where, first }) => {
    const isHost = path.length === 2 && path[0] === 'hosts'
    const message = isHost ? `two hosts have the name ${path[1]}` : `${path.join('.')} stands twice`
    return {
      code: isHost ? 'NAME_DUPLICATE' : 'YAML_SYNTAX',
      message,
      where,
      evidence: [{ source: first, line: `${path.at(-1)}:` }],
      fix: isHost ? 'name one of them otherwise' : 'leave one of them out',
    }
  })
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Failure(exits.badInput, {
      code: 'FILE_NOT_FOUND',
      message: 'the inventory does not exist or cannot be read',
      where: file,
      evidence: [{ source: file, line: (error as Error).message }],
      fix: 'correct the path of the inventory',
    })
  }
}

function readable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

function byPlace(a: Trouble, b: Trouble): number {
  const place = (t: Trouble) =>
    /:(\d+):(\d+)$/
      .exec(t.where ?? '')
      ?.slice(1)
      .map(Number) ?? [0, 0]
  const [la = 0, ca = 0] = place(a)
  const [lb = 0, cb = 0] = place(b)
  return la - lb || ca - cb
}
