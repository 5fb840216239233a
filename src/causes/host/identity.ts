import type { Cause, Finding } from '../../model/cause.ts'
import type { NodeView, Picture } from '../../model/dump.ts'
import { counted } from '../../model/words.ts'
import { onNodes, shown, some } from './tools.ts'

export const duplicateMachineId: Cause = {
  code: 'DUPLICATE_MACHINE_ID',
  because:
    'Hosts that were copied from one image have one machine-id. systemd derives MAC addresses, and DHCP servers leases, from it, so links of two nodes may end up with one address.',
  shows: 'cat /etc/machine-id',
  fix: 'On the copy: rm /etc/machine-id && systemd-machine-id-setup, then reboot.',
  find: (picture) =>
    shared(picture, ({ identity }) => [identity.machineId]).map(({ value, nodes }) => ({
      ...finding(nodes, `machine-id ${value}`, 'cat /etc/machine-id', value),
      breaks: { nodes: [] },
      level: 'warning',
    })),
}

export const duplicateProductUuid: Cause = {
  code: 'DUPLICATE_PRODUCT_UUID',
  because:
    'Virtual machines that were copied have one product_uuid. kubeadm and other programs tell machines apart by it.',
  shows: 'cat /sys/class/dmi/id/product_uuid',
  fix: 'Give every virtual machine a UUID of its own; the hypervisor sets it.',
  find: (picture) =>
    shared(picture, ({ identity }) => (identity.container ? [] : [identity.productUuid])).map(({ value, nodes }) => ({
      ...finding(nodes, `product_uuid ${value}`, 'cat /sys/class/dmi/id/product_uuid', value),
      breaks: { nodes: [] },
      level: 'warning',
    })),
}

export const duplicateMac: Cause = {
  code: 'DUPLICATE_MAC',
  because:
    'Two network cards have one MAC address. Switches send the packets for it now to one node and now to the other.',
  shows: 'ip link show',
  fix: 'Give every network card an address of its own; the hypervisor sets it.',
  find: (picture) =>
    shared(picture, ({ identity }) => identity.macs.map((mac) => mac.toLowerCase())).map(({ value, nodes }) => ({
      ...finding(nodes, `MAC address ${value}`, 'ip link show', lineOf(picture, nodes[0], value)),
      breaks: { nodes },
    })),
}

function lineOf(picture: Picture, name: string | undefined, mac: string): string {
  const link = picture.nodes.get(name ?? '')?.links.find((one) => one.mac.toLowerCase() === mac)
  return link ? `${link.index}: ${link.name}: link/ether ${mac}` : `link/ether ${mac}`
}

function finding(nodes: readonly string[], what: string, source: string, line: string): Omit<Finding, 'breaks'> {
  return {
    where: nodes.join(', '),
    message: `${some(nodes, 5)} have one ${what}`,
    evidence: nodes.slice(0, 5).map((node) => shown(`${node}: ${source}`, line)),
  }
}

/** Values that more than one node has. */
function shared(
  picture: Picture,
  valuesOf: (node: NodeView) => readonly string[],
): { value: string; nodes: string[] }[] {
  const by = new Map<string, string[]>()
  for (const node of picture.nodes.values())
    for (const value of new Set(valuesOf(node)))
      if (meansSomething(value)) by.set(value, [...(by.get(value) ?? []), node.node])
  return [...by].filter(([, nodes]) => nodes.length > 1).map(([value, nodes]) => ({ value, nodes }))
}

/** Boards without a UUID give one of zeros or of Fs. */
const meansSomething = (value: string): boolean => !/^[0f:-]*$/i.test(value) && value !== 'uninitialized'

const day = 86_400_000

export const certExpiring: Cause = {
  code: 'CERT_EXPIRING',
  because:
    'A certificate that Kubernetes uses ends soon or has ended. From that moment its owner is no longer believed: kubelets, the API server or etcd refuse to talk to each other.',
  shows: 'kubeadm certs check-expiration',
  fix: 'On a control plane: kubeadm certs renew all, then restart its static pods. The kubelet renews its own: see that it runs and reaches the API server.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const now = Date.parse(node.now)
      const ending = node.certificates
        .filter(({ until }) => Date.parse(until) - now < 30 * day)
        .sort((a, b) => Date.parse(a.until) - Date.parse(b.until))
      const first = ending[0]
      if (!first) return null
      const over = Date.parse(first.until) <= now
      // nobody checks the one that the kubelet made for itself
      const harmless =
        !over || ending.every(({ path, until }) => path.endsWith('/kubelet.crt') || Date.parse(until) > now)
      const days = Math.floor(Math.abs(Date.parse(first.until) - now) / day)
      return {
        where: node.node,
        message: `${first.path} of ${node.node} ${over ? `ended ${counted(days, 'day')} ago` : `ends in ${counted(days, 'day')}`}${ending.length > 1 ? `, and ${ending.length - 1} more with it` : ''}`,
        evidence: ending
          .slice(0, 5)
          .map(({ path, until }) => shown(`openssl x509 -enddate -noout -in ${path}`, `notAfter=${until}`)),
        breaks: harmless ? { nodes: [] } : { scenarios: ['api', 'kubelet', 'containers'], nodes: [node.node] },
        ...(harmless && { level: 'warning' as const }),
      }
    }),
}
