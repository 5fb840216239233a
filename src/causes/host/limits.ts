import type { Action } from '../../model/action.ts'
import type { Cause, Finding } from '../../model/cause.ts'
import type { ApiPod, NodeView } from '../../model/dump.ts'
import { onNodes, shown, some } from './tools.ts'

export const conntrackFull: Cause = {
  code: 'CONNTRACK_FULL',
  because:
    'The table of connections (nf_conntrack) has no room left: the kernel drops the first packet of every new connection. What is already connected goes on, which makes the fault look random.',
  shows: 'sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max',
  fix: 'Raise net.netfilter.nf_conntrack_max (kube-proxy sets it by conntrack.maxPerCore), and find who opens that many connections: conntrack -L | awk "{ print \\$5 }" | sort | uniq -c | sort -n.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const count = node.conntrack.get('count') ?? Number(node.sysctls.get('net.netfilter.nf_conntrack_count'))
      const max = node.conntrack.get('max') ?? Number(node.sysctls.get('net.netfilter.nf_conntrack_max'))
      if (!(max > 0) || !(count >= max * 0.9)) return null
      const full = count >= max * 0.98
      return {
        where: node.node,
        message: `${count} of ${max} entries of the table of connections of ${node.node} are taken`,
        evidence: [
          shown('sysctl net.netfilter.nf_conntrack_count', `net.netfilter.nf_conntrack_count = ${count}`),
          shown('sysctl net.netfilter.nf_conntrack_max', `net.netfilter.nf_conntrack_max = ${max}`),
        ],
        breaks: full ? { nodes: [node.node] } : { nodes: [] },
        ...(!full && { level: 'warning' as const }),
      }
    }),
}

const wanted = { 'fs.inotify.max_user_instances': 8192, 'fs.inotify.max_user_watches': 524288 }
/** What the kernel itself sets on the smallest machine; fewer were set by somebody. */
const least = { 'fs.inotify.max_user_instances': 128, 'fs.inotify.max_user_watches': 8192 }
type Key = keyof typeof wanted

export const inotifyLimit: Cause = {
  code: 'INOTIFY_LIMIT',
  because:
    'Each kubelet, kube-proxy, flannel and many programs in pods watch files, and all of root share one small number of watchers. Whoever comes when it is used up ends with "too many open files".',
  shows: 'sysctl fs.inotify.max_user_instances fs.inotify.max_user_watches',
  fix: 'sysctl -w fs.inotify.max_user_instances=8192 fs.inotify.max_user_watches=524288, and keep it in /etc/sysctl.d.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const keys = Object.keys(wanted) as Key[]
      const values = keys.map((key) => ({ key, is: node.sysctls.get(key) }))
      const low = values.filter(({ key, is }) => is !== undefined && Number(is) < wanted[key])
      const tooLow = low.filter(({ key, is }) => Number(is) < least[key])
      const victims = picture.cluster?.pods.filter((pod) => pod.node === node.node && endedByIt(pod)) ?? []
      if (low.length === 0 || (tooLow.length === 0 && victims.length === 0)) return null
      const named = tooLow.length > 0 ? tooLow : low.slice(0, 1)
      return {
        where: node.node,
        message: `${node.node} allows ${named.map(({ key, is }) => `${key.slice(11)} ${is}`).join(', ')}${victims.length > 0 ? `, and ${some(victims.map(({ name }) => name))} ended by it` : ''}`,
        evidence: [
          ...named.map(({ key, is }) => shown(`sysctl ${key}`, `${key} = ${is}`)),
          ...victims.slice(0, 3).map((pod) => shown(`kubectl -n ${pod.namespace} describe pod ${pod.name}`, said(pod))),
        ],
        breaks: { nodes: [node.node] },
        ...remedyOf(node, low),
      }
    }),
}

function remedyOf(node: NodeView, low: readonly { key: Key; is: string | undefined }[]): Pick<Finding, 'remedy'> {
  if (node.identity.container) return {}
  const actions = low.map(
    ({ key, is }): Action => ({ kind: 'sysctl', key, ...(is !== undefined && { was: is }), want: String(wanted[key]) }),
  )
  return { remedy: [{ node: node.node, actions }] }
}

const said = ({ containers }: ApiPod): string =>
  containers
    .map(({ ended }) => ended?.trim().split('\n').at(-1) ?? '')
    .filter(Boolean)
    .join('; ')

const endedByIt = (pod: ApiPod): boolean =>
  pod.containers.some(({ ended }) => ended && /too many open files|inotify/i.test(ended))
