import type { Identity, KubeletView, Link, NodeView } from '../model/dump.ts'
import { lines } from './lazy.ts'

/** Lines `key value`; the value of the first of each key. */
function pairs(text: string | undefined, between: string): Map<string, string> {
  const all = new Map<string, string>()
  for (const line of lines(text)) {
    const at = line.indexOf(between)
    const key = at < 0 ? line : line.slice(0, at)
    if (!all.has(key)) all.set(key, at < 0 ? '' : line.slice(at + between.length))
  }
  return all
}

export function identityOf(text: string | undefined, links: readonly Link[]): Identity {
  const of = pairs(text, ' ')
  const container = of.has('container')
  const devices = new Set(lines(text).flatMap((line) => (line.startsWith('device ') ? [line.slice(7)] : [])))
  // the cards of a container are the ends of veths, whose other ends are elsewhere
  const physical = links.filter(
    ({ name, kind, master }) =>
      devices.has(name) || (container && kind === 'veth' && !master && name.startsWith('eth')),
  )
  return {
    hostname: of.get('hostname') ?? '',
    machineId: of.get('machine-id') ?? '',
    productUuid: of.get('product-uuid') ?? '',
    bootId: of.get('boot-id') ?? '',
    kernel: of.get('kernel') ?? '',
    macs: physical.map(({ mac }) => mac),
    container,
  }
}

/** `flags` are lines --name=value, as the process got them; `config` the lines of its file that matter. */
export function kubeletOf(flags: string | undefined, config: string | undefined): KubeletView {
  const of = pairs(flags, '=')
  const plain = (text: string): string => text.trim().replace(/^["']|["']$/g, '')
  const said = (key: string): string | undefined => {
    const value = plain(new RegExp(`^${key}:(.*)$`, 'm').exec(config ?? '')?.[1] ?? '')
    return value === '' ? undefined : value
  }
  const servers = lines(config).flatMap((line) => (/^\s*- /.test(line) ? [plain(line.replace(/^\s*- /, ''))] : []))
  const nodeIP = of.get('--node-ip')
  const clusterDomain = of.get('--cluster-domain') ?? said('clusterDomain')
  const resolvConf = of.get('--resolv-conf') ?? said('resolvConf')
  return {
    running: lines(flags).some((line) => line.startsWith('pid ')),
    ...(nodeIP && { nodeIP }),
    clusterDNS: of.get('--cluster-dns')?.split(',') ?? servers,
    ...(clusterDomain && { clusterDomain }),
    ...(resolvConf && { resolvConf }),
  }
}

/** The addresses of the nameserver lines of a resolv.conf. */
export function nameservers(text: string | undefined): string[] {
  return lines(text).flatMap((line) => {
    const [word, address] = line.trim().split(/\s+/)
    return word === 'nameserver' && address ? [address] : []
  })
}

/** Lines `PATH notAfter=Nov 21 06:09:11 2027 GMT`, as openssl prints it. */
export function certificatesOf(text: string | undefined): NodeView['certificates'] {
  return lines(text).flatMap((line) => {
    const [path, end] = line.split(' notAfter=')
    const at = new Date(end ?? '')
    return path && !Number.isNaN(at.getTime()) ? [{ path, until: at.toISOString() }] : []
  })
}

/** Lines of `ss -Hlntup`. */
export function listenersOf(text: string | undefined): NodeView['listeners'] {
  return lines(text).flatMap((line) => {
    const [protocol, , , , local = '', , users = ''] = line.trim().split(/\s+/)
    if (protocol !== 'tcp' && protocol !== 'udp') return []
    const at = local.lastIndexOf(':')
    const address = local.slice(0, at).replace(/^\[|\]$/g, '')
    return [
      { protocol, address, port: Number(local.slice(at + 1)), process: /\(\("([^"]+)"/.exec(users)?.[1] ?? '' },
    ] as const
  })
}

/** The features of `ethtool -k`; null where there is no text. */
export function offloadOf(text: string | undefined): Map<string, string> | null {
  if (!text) return null
  const features = lines(text).flatMap((line) => {
    const match = /^\s*([\w-]+): (on|off)\b/.exec(line)
    return match ? [[match[1] ?? '', match[2] ?? ''] as const] : []
  })
  return features.length > 0 ? new Map(features) : null
}

/** FLANNEL_SUBNET=10.244.0.1/24 and so on; null where there is no file. */
export function flannelEnvOf(text: string | undefined): Map<string, string> | null {
  return text === undefined ? null : pairs(text, '=')
}
