import type { Action } from '../../model/action.ts'
import type { Cause } from '../../model/cause.ts'
import type { NodeView } from '../../model/dump.ts'
import { ofDevice, onNodes, overPodNetwork, shown, waysOf } from './tools.ts'

export const ipForwardOff: Cause = {
  code: 'IP_FORWARD_OFF',
  because:
    'net.ipv4.ip_forward is 0: the kernel of the node drops every packet that is not for the node itself. Pods reach only what is on their own bridge, and nobody from another node reaches them.',
  shows: 'sysctl net.ipv4.ip_forward',
  fix: 'sysctl -w net.ipv4.ip_forward=1, and find what sets it to 0 (grep -r ip_forward /etc/sysctl.conf /etc/sysctl.d /run/sysctl.d).',
  find: (picture) =>
    onNodes(picture, (node) => {
      const key = 'net.ipv4.ip_forward'
      if (node.sysctls.get(key) !== '0') return null
      return {
        where: node.node,
        message: `${node.node} does not forward packets: ${key} is 0`,
        evidence: [shown(`sysctl ${key}`, `${key} = 0`)],
        breaks: {
          scenarios: [...overPodNetwork, 'api', 'pod-to-node', 'egress', 'addresses'],
          // not only across: Services lead through the gateway also on one node, and CoreDNS there loses the API server
          nodes: [node.node],
        },
        remedy: [{ node: node.node, actions: [setTo1(key, '0')] }],
      }
    }),
}

export const forwardingOff: Cause = {
  code: 'FORWARDING_OFF',
  because:
    'The forwarding setting of one interface is 0 although ip_forward is 1: the kernel drops what comes in there and is not for the node itself. Packets of pods that come from the bridge, or from other nodes, end there.',
  shows: 'sysctl -a -r "^net.ipv4.conf.*.forwarding"',
  fix: 'sysctl -w net.ipv4.conf.INTERFACE.forwarding=1, and find what sets it to 0 (grep -r forwarding /etc/sysctl.conf /etc/sysctl.d).',
  find: (picture) =>
    onNodes(picture, (node) => {
      const ways = waysOf(picture, node)
      if (!ways || node.sysctls.get('net.ipv4.ip_forward') !== '1') return null
      const off = [...new Set([ways.bridge, ways.tunnel, ways.outer])].filter(
        (device) => ofDevice(node, device, 'forwarding') === '0',
      )
      if (off.length === 0) return null
      const onlyOuter = off.every((device) => device === ways.outer && device !== ways.tunnel)
      return {
        where: node.node,
        message: `${node.node} does not forward what comes in by ${off.join(', ')}`,
        evidence: off.map((device) => {
          const key = keyOf(device)
          return shown(`sysctl ${key}`, `${key} = 0`)
        }),
        breaks: {
          scenarios: onlyOuter
            ? ['outside-to-service', 'traffic-policy', 'host-port', 'ingress', 'api', 'pod-to-node', 'egress']
            : [...overPodNetwork, 'api', 'pod-to-node', 'egress'],
          // not only across: Services lead through the gateway also on one node, and CoreDNS there loses the API server
          nodes: [node.node],
        },
        remedy: [{ node: node.node, actions: off.map((device) => setTo1(keyOf(device), '0')) }],
      }
    }),
}

/** As sysctl(8) wants it: a dot in the name of the interface is written as a slash. */
const keyOf = (device: string): string => `net.ipv4.conf.${device.replaceAll('.', '/')}.forwarding`

export const brNetfilterOff: Cause = {
  code: 'BR_NETFILTER_OFF',
  because:
    'Packets between two pods on one bridge do not pass netfilter. Where a Service leads to a pod on the same node, the answer goes straight back to the client without its address being translated back, and the client throws it away.',
  shows: 'sysctl net.bridge.bridge-nf-call-iptables',
  fix: 'modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-iptables=1; keep both for boot in /etc/modules-load.d and /etc/sysctl.d.',
  find: (picture) =>
    onNodes(picture, (node) => {
      if (node.sysctls.size === 0 || !hasPodsOnBridge(node)) return null
      const key = 'net.bridge.bridge-nf-call-iptables'
      const is = node.sysctls.get(key)
      if (is !== undefined && is !== '0') return null
      const missing = is === undefined
      const remedy: Action[] = missing
        ? [
            { kind: 'module', name: 'br_netfilter' },
            { kind: 'sysctl', key, want: '1' },
          ]
        : [setTo1(key, is)]
      return {
        where: node.node,
        message: missing
          ? `br_netfilter is not loaded on ${node.node}: Services do not lead to pods of the client's own node`
          : `${key} is 0 on ${node.node}: Services do not lead to pods of the client's own node`,
        evidence: [shown(`sysctl ${key}`, missing ? `sysctl: cannot stat ${key}: no such file` : `${key} = 0`)],
        breaks: {
          scenarios: ['pod-to-service', 'dns', 'spread', 'affinity', 'udp-endpoint-gone'],
          nodes: [node.node],
        },
        ...(!(missing && node.identity.container) && { remedy: [{ node: node.node, actions: remedy }] }),
      }
    }),
}

function hasPodsOnBridge({ links }: NodeView): boolean {
  const bridges = new Set(links.filter(({ kind }) => kind === 'bridge').map(({ name }) => name))
  return bridges.has('cni0') || links.some(({ kind, master }) => kind === 'veth' && master === 'cni0')
}

const setTo1 = (key: string, was: string): Action => ({ kind: 'sysctl', key, was, want: '1' })
