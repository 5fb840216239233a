import type { Cause } from '../../model/cause.ts'
import { onNodes, overPodNetwork, shown, some, waysOf } from './tools.ts'

export const networkdFlush: Cause = {
  code: 'NETWORKD_FLUSH',
  because:
    'systemd-networkd looks after a link of the pod network, and it removes routes and addresses that it did not make. When it is restarted or reloaded, what flannel put there is gone, and flannel does not put it back.',
  shows: 'networkctl list; grep -r ManageForeignRoutes /etc/systemd/networkd.conf /etc/systemd/networkd.conf.d',
  fix: 'Let no .network file match cni0, veth* and flannel* (a file with Unmanaged=yes for them), or set ManageForeignRoutes=no in /etc/systemd/networkd.conf.d.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const text = node.dump.parts.networkd ?? ''
      const ways = waysOf(picture, node)
      if (!text || !ways?.known || /^ManageForeignRoutes=\s*(no|false|off|0)\s*$/im.test(text)) return null
      // with host-gw the routes are those of the interface of the host itself
      const ours = new Set([ways.bridge, ways.tunnel])
      const managed = node.links.flatMap(({ name, index }) => {
        const of = (key: string) => new RegExp(`/${index}:${key}=(\\S+)$`, 'm').exec(text)?.[1]
        const file = of('NETWORK_FILE')
        return ours.has(name) && file && of('ADMIN_STATE') !== 'unmanaged' ? [{ name, file }] : []
      })
      if (managed.length === 0) return null
      return {
        where: node.node,
        message: `systemd-networkd of ${node.node} looks after ${some(managed.map(({ name }) => name))}, and may remove the routes there`,
        evidence: managed.map(({ name, file }) => shown(`networkctl status ${name}`, `Network File: ${file}`)),
        breaks: { scenarios: overPodNetwork, nodes: [node.node], acrossOnly: true },
        level: 'warning',
      }
    }),
}
