import type { Cause, Finding } from '../../model/cause.ts'
import type { Picture } from '../../model/dump.ts'
import { onNodes, shown, shownAt, some } from '../host/tools.ts'
import { missingOn, rulesByNode, staleOn } from './endpoints.ts'
import type { ProxyRules } from './rules.ts'
import { portName, scenariosOf, wantedOf } from './wanted.ts'
import { rulesOf, waysTo } from './ways.ts'

export const kubeSpreadWrong: Cause = {
  code: 'KUBE_SPREAD_WRONG',
  because:
    'The rules of a Service choose among its endpoints by chance, and the chances are not equal on this node. Some endpoints get more than their share, and what matches no rule at all is lost.',
  shows: 'iptables -t nat -S KUBE-SVC-…',
  fix: 'Restart kube-proxy on that node: it writes the rules anew. Find what changed them.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const rules = rulesByNode(picture).get(node.node)
      if (!rules) return null
      const skip = new Set(
        [...(staleOn(picture).get(node.node) ?? []), ...(missingOn(picture).get(node.node) ?? [])].map(
          ({ wanted }) => wanted.key,
        ),
      )
      const uneven = wantedOf(picture)
        .filter(({ key }) => !skip.has(key))
        .flatMap((wanted) => rulesOf(waysTo(wanted, rules)))
        .filter(({ rules: { branches, complete } }) => {
          const equal = 1 / branches.length
          return branches.length > 0 && (!complete || branches.some(({ share }) => Math.abs(share - equal) > 0.005))
        })
      const first = uneven[0]?.rules
      if (!first) return null
      const shares = first.branches.map(({ to, share }) => `${to ?? '?'} ${(share * 100).toFixed(1)} %`)
      const lines = new Map(first.branches.map(({ by }) => [by.rule?.text, shownAt(by)]))
      return {
        where: node.node,
        message: `${node.node} does not share what comes to ${some(uneven.map(({ name }) => name))} equally: ${some(shares, 6)}`,
        evidence: [...lines.values()].slice(0, 5),
        breaks: {
          scenarios: first.complete ? ['spread'] : scenariosOf(uneven.map(({ wanted }) => wanted.service)),
          nodes: [node.node],
        },
      }
    }),
}

export const kubeMasqMissing: Cause = {
  code: 'KUBE_MASQ_MISSING',
  because:
    'kube-proxy marks packets whose answers would not come back through this node, and gives them its address. Without that, a pod that reaches itself through its Service, or a client that comes in by a NodePort for a pod elsewhere, gets answers from a stranger and throws them away.',
  shows: 'iptables -t nat -S | grep KUBE-MARK-MASQ; iptables -t nat -S KUBE-POSTROUTING',
  fix: 'Restart kube-proxy on that node: it writes the rules anew. Find what removes them.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const rules = rulesByNode(picture).get(node.node)
      if (!rules || rules.services.size === 0 || !rules.reached) return null
      const trouble = masqTrouble(rules) ?? hairpinTrouble(picture, node.node, rules) ?? doorTrouble(picture, rules)
      return (
        trouble && {
          where: node.node,
          ...trouble,
          message: `On ${node.node} ${trouble.message}`,
          breaks: { ...trouble.breaks, nodes: [node.node] },
        }
      )
    }),
}

function masqTrouble({ mode, masquerade, mark, postrouting }: ProxyRules): Omit<Finding, 'where'> | null {
  if (masquerade && mark) return null
  const [posts, marks] =
    mode === 'iptables' ? ['KUBE-POSTROUTING', 'KUBE-MARK-MASQ'] : ['masquerading', 'mark-for-masquerade']
  const show = (name: string) =>
    mode === 'iptables' ? `iptables -t nat -S ${name}` : `nft list chain ip kube-proxy ${name}`
  return {
    message: masquerade
      ? `${marks} marks nothing`
      : `nothing translates the source of marked packets: ${posts} has no MASQUERADE, or nothing jumps to it`,
    evidence: [
      masquerade || !postrouting ? shown(show(masquerade ? marks : posts), '(no such rule)') : shownAt(postrouting),
    ],
    breaks: { scenarios: ['hairpin', 'outside-to-service', 'node-to-service', 'traffic-policy', 'ingress'] },
  }
}

function hairpinTrouble(picture: Picture, node: string, { services }: ProxyRules): Omit<Finding, 'where'> | null {
  const bad = wantedOf(picture).flatMap((wanted) =>
    (services.get(wanted.key)?.branches ?? []).flatMap((branch) => {
      const here = wanted.endpoints.some((endpoint) => endpoint.to === branch.to && endpoint.node === node)
      const stale = !wanted.known.has(branch.to ?? '')
      return branch.hairpin || stale || (branch.onlyHere && !here) ? [] : [{ wanted, branch }]
    }),
  )
  const first = bad[0]
  if (!first) return null
  return {
    message: `the rules of ${some(bad.map(({ wanted, branch }) => `${portName(wanted)} -> ${branch.to}`))} do not mark what comes from that endpoint itself`,
    evidence: bad.slice(0, 3).map(({ branch }) => shownAt(branch.dnat ?? branch.by)),
    breaks: { scenarios: ['hairpin'] },
  }
}

/** A client from outside that is led to a pod of another node needs the answer to come back through this one. */
function doorTrouble(picture: Picture, rules: ProxyRules): Omit<Finding, 'where'> | null {
  const bad = wantedOf(picture)
    .flatMap((wanted) => waysTo(wanted, rules))
    .flatMap(({ name, outside, local, rules }) =>
      outside && !local && rules && rules.branches.length > 0 && !rules.marks ? [{ name, rules }] : [],
    )
  const first = bad[0]
  if (!first) return null
  return {
    message: `the rules of ${some(bad.map(({ name }) => name))} do not mark what comes from outside`,
    evidence: [shownAt(first.rules.by)],
    breaks: { scenarios: ['outside-to-service', 'node-to-service', 'ingress'] },
  }
}
