import { accessSync, constants } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { isIp } from '../model/cidr.ts'
import type { Door, Host, Inventory } from '../model/inventory.ts'
import { parseJump } from '../model/jump.ts'
import { Secret } from '../model/secret.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { faultsAcross } from './across.ts'
import { textOf } from './file.ts'
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
  const yaml = readYaml(file, text ?? textOf(file, 'the inventory'))
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
  const door = doors(ssh, path, defaults)
  const usual = ssh.jump === undefined ? undefined : jumpsOf(ssh.jump, door)
  const host = ([name, it]: [string, Written['hosts'][string]]): Host => {
    const jump = it.jump === undefined ? usual : jumpsOf(it.jump, door)
    const own = door(name, { ...it, port: it.port ?? ssh.port, knownHosts: it.knownHosts ?? ssh.knownHosts })
    const unsaid = [...own.unsaid, ...(jump === undefined ? (['jump'] as const) : [])]
    return {
      ...own,
      role: it.role,
      nodeIP: it.nodeIP ?? it.address,
      become: it.become ?? ssh.become ?? 'sudo',
      unsaid,
      ...(jump ? { jump } : {}),
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

type WrittenDoor = Exclude<Exclude<Written['ssh']['jump'], string | undefined>, readonly unknown[]>
type DoorOf = (name: string, it: WrittenDoor) => Door & { readonly unsaid: NonNullable<Door['unsaid']> }

/** Fills in a door from the `ssh` block. A bastion shares user, key and known_hosts file with the hosts, but not their port. */
function doors(ssh: Written['ssh'], path: (value: string) => string, defaults: Defaults): DoorOf {
  return (name, it) => {
    const key = it.key ?? ssh.key
    const knownHosts = it.knownHosts ?? ssh.knownHosts
    const silent = { user: it.user ?? ssh.user, port: it.port, knownHosts }
    return {
      name,
      address: it.address,
      port: it.port ?? 22,
      user: it.user ?? ssh.user ?? defaults.user,
      knownHosts: path(knownHosts ?? '~/.ssh/known_hosts'),
      unsaid: (['user', 'port', 'knownHosts'] as const).filter((what) => silent[what] === undefined),
      ...(key ? { key: typeof key === 'string' ? path(key) : key.map(path) } : {}),
      ...(it.hostKey ? { hostKey: it.hostKey } : {}),
      ...(it.password ? { password: new Secret(it.password) } : {}),
    }
  }
}

/** `none` is no bastion, whatever ~/.ssh/config says. */
function jumpsOf(written: NonNullable<Written['ssh']['jump']>, door: DoorOf): Door[] {
  const all = typeof written === 'string' || !Array.isArray(written) ? [written] : written
  return all
    .flatMap((it): WrittenDoor[] =>
      typeof it !== 'string' ? [it] : it === 'none' ? [] : it.split(',').flatMap((word) => parseJump(word) ?? []),
    )
    .map((it) => door(`bastion ${it.address}`, it))
}

/** Paths are relative to the inventory; ~ is the user's home. */
function absolute(path: string, base: string, home: string): string {
  if (path === '~' || path.startsWith('~/')) return join(home, path.slice(1))
  return isAbsolute(path) ? path : resolve(base, path)
}

/** Files that are named have to be there. Each is told once, where it is named. A key may lie in the agent, and here only its .pub. */
function files(inventory: Inventory, written: Written, yaml: Yaml): Trouble[] {
  const told = new Set<string>()
  return inventory.hosts.flatMap((host) =>
    (['key', 'knownHosts'] as const).flatMap((what): Trouble[] => {
      const own = written.hosts[host.name]?.[what] !== undefined
      const named = own ? ['hosts', host.name, what] : ['ssh', what]
      if (!own && written.ssh[what] === undefined) return []
      return [host[what] ?? []].flat().flatMap((path, i): Trouble[] => {
        if (told.has(`${named} ${path}`) || readable(path) || (what === 'key' && readable(`${path}.pub`))) return []
        told.add(`${named} ${path}`)
        return [
          {
            code: 'FILE_NOT_FOUND',
            message: `${named.join('.')}: ${path} does not exist or cannot be read`,
            where: yaml.at(Array.isArray(host[what]) ? [...named, i] : named),
            fix: 'correct the path; it is relative to the inventory',
          },
        ]
      })
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
