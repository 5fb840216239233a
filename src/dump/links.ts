import type { Link } from '../model/dump.ts'
import { list } from './lazy.ts'

/** What iproute2 says of a link: `ip -j -d -s addr show`. Only the fields that are read here. */
interface Raw {
  ifindex: number
  ifname: string
  link_type?: string
  address?: string
  mtu?: number
  flags?: string[]
  operstate?: string
  master?: string
  link_index?: number
  linkinfo?: { info_kind?: string; info_data?: Record<string, unknown> }
  addr_info?: { local?: string; prefixlen?: number; family?: string; scope?: string }[]
  stats64?: { rx?: Record<string, number>; tx?: Record<string, number> }
}

/** The links with their addresses, out of `ip -j -d -s -s addr show` and, for the ports of bridges, `bridge -j -d link show`. */
export function linksOf(links: string | undefined, ports?: string): Link[] {
  const byName = new Map(list(ports).map((port) => [port.ifname, port]))
  return (list(links) as unknown as Raw[])
    .filter(({ ifname }) => ifname)
    .map((raw) => {
      const kind = raw.linkinfo?.info_kind
      const data = raw.linkinfo?.info_data ?? {}
      const port = byName.get(raw.ifname)
      const { rx = {}, tx = {} } = raw.stats64 ?? {}
      const otherhost = rx.otherhost_dropped ?? rx.otherhost
      return {
        index: raw.ifindex,
        name: raw.ifname,
        type: raw.link_type ?? '',
        mac: raw.address ?? '',
        mtu: raw.mtu ?? 0,
        flags: raw.flags ?? [],
        state: raw.operstate ?? 'UNKNOWN',
        ...(raw.master !== undefined && { master: raw.master }),
        ...(raw.link_index !== undefined && { peerIndex: raw.link_index }),
        ...(kind !== undefined && { kind }),
        addresses: (raw.addr_info ?? [])
          .filter(({ local }) => local)
          .map(({ local, prefixlen, family, scope }) => ({
            ip: local ?? '',
            prefix: prefixlen ?? 0,
            family: family === 'inet6' ? (6 as const) : (4 as const),
            scope: scope ?? '',
          })),
        ...(kind === 'vxlan' && { vxlan: vxlanOf(data) }),
        ...(port && {
          port: {
            state: String(port.state ?? ''),
            hairpin: port.hairpin === true,
            isolated: port.isolated === true,
          },
        }),
        rx: { ...counts(rx), ...(otherhost !== undefined && { otherhost }) },
        tx: counts(tx),
      }
    })
}

function counts(of: Record<string, number>): { packets: number; errors: number; dropped: number } {
  return { packets: of.packets ?? 0, errors: of.errors ?? 0, dropped: of.dropped ?? 0 }
}

function vxlanOf(data: Record<string, unknown>): NonNullable<Link['vxlan']> {
  const local = data.local ?? data.local6
  const device = data.link
  return {
    id: Number(data.id ?? 0),
    port: Number(data.port ?? 0),
    ...(typeof local === 'string' && { local }),
    ...(typeof device === 'string' && { device }),
    learning: data.learning === true,
  }
}
