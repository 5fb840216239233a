import type { Breaks, Cause, Finding } from '../../model/cause.ts'
import type { Picture } from '../../model/dump.ts'
import { isProbe } from '../../model/probes.ts'
import type { Evidence } from '../../model/trouble.ts'
import { isDrop } from '../host/forward.ts'
import { placeText, shown, shownAt } from '../host/tools.ts'
import { isShadowed } from './cni.ts'
import { pluginsOf, type Seen, seenOf } from './ground.ts'
import { type HostPort, hostPortsOf } from './port-mappings.ts'
import { listOf, nameOf } from './running.ts'

export const hostPortRulesMissing: Cause = {
  code: 'HOSTPORT_RULES_MISSING',
  because:
    'The CNI plugin portmap makes the rules that lead a hostPort to its pod when the pod is made, and nothing makes them again. Without portmap in the CNI configuration, or once another program has flushed them, nobody answers at the port.',
  shows: 'iptables-save -t nat | grep CNI-; nft list table ip cni_hostport; cat /etc/cni/net.d/*',
  fix: 'Let the CNI configuration call portmap with the capability portMappings, then make the pods anew: delete them. Find what flushes rules that it did not make.',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const lost = portsIn(picture, member, ['none', 'unreached'])
      const first = lost[0]
      if (!first || isShadowed(member)) return []
      const portmap = portmapOf(member)
      // other network providers have other means
      if (!portmap.calls && picture.cluster?.configs.provider !== 'flannel') return []
      const { name } = member
      const trouble = first.own ? undefined : portmap.trouble
      return [
        {
          where: name,
          message: first.own
            ? `${name} has a rule for the hostPort ${textOf(lost)}, and nothing leads there`
            : `${name} has no rule for the hostPort ${textOf(lost)}: ${trouble ?? 'what portmap made together with the pod is gone'}`,
          evidence: [...evidenceOf(member, first, trouble), ...listenerAt(member, first)],
          breaks: breaksOf(name, lost),
          fix: trouble
            ? `Give the configuration {"type": "portmap", "capabilities": {"portMappings": true}} (flannel takes it from cni-conf.json of its ConfigMap when it starts), then make the pods anew: delete them.`
            : 'Make the pods anew: delete them, and portmap makes the rules again. Find what flushes rules that it did not make.',
        },
      ]
    }),
}

export const hostPortTaken: Cause = {
  code: 'HOSTPORT_TAKEN',
  because:
    'The rules of a host are asked in their order, and one before that of the hostPort decides where its packets go. A program that only listens at the port is no such thing: rules come first.',
  shows: 'iptables -t nat -S PREROUTING; nft list ruleset',
  fix: 'Remove that rule, or give the pod another hostPort.',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const taken = portsIn(picture, member, ['taken'])
      const [first] = taken
      if (!first?.by || !first.own) return []
      return [
        {
          where: member.name,
          message: `on ${member.name} packets for the hostPort ${textOf(taken)} never come to its rule: ${placeText(first.by)} decides before`,
          evidence: [shownAt(first.by), shownAt(first.own)],
          breaks: breaksOf(member.name, taken),
        },
      ]
    }),
}

export const hostPortBlocked: Cause = {
  code: 'HOSTPORT_BLOCKED',
  because:
    'A firewall of the node drops what comes from outside for a hostPort, before its rule leads it to the pod or after it. The pod answers at its own address.',
  shows: 'iptables -t mangle -S PREROUTING; iptables -S FORWARD; nft list ruleset',
  fix: 'Accept the hostPort there, or remove the rule that drops it.',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const blocked = portsIn(picture, member, ['blocked']).filter(({ by }) => by && !isDrop(picture, member.name, by))
      const [first] = blocked
      if (!first?.by) return []
      const breaks = breaksOf(member.name, blocked)
      return [
        {
          where: member.name,
          message: `${member.name} drops what comes from outside for the hostPort ${textOf(blocked)}: ${placeText(first.by)} does`,
          evidence: [shownAt(first.by)],
          breaks,
          // somebody may want it so
          ...(!breaks.scenarios && { level: 'warning' as const }),
        },
      ]
    }),
}

const portsIn = (picture: Picture, { name }: Seen, states: readonly HostPort['state'][]): HostPort[] =>
  (hostPortsOf(picture).get(name) ?? []).filter(({ state }) => states.includes(state))

const textOf = (ports: readonly HostPort[]): string =>
  listOf(ports.map(({ pod, protocol, port }) => `${protocol} ${port} of ${nameOf(pod)}`))

/** Does the configuration that is used let portmap make rules? `trouble` says why not, where it is known. */
function portmapOf({ view }: Seen): { readonly calls: boolean; readonly trouble?: string } {
  const [first] = view.cni.configs
  const plugins = pluginsOf(first?.text ?? '')
  if (!first || !plugins || plugins.some(({ type }) => /multus|genie/.test(type ?? ''))) return { calls: false }
  const portmap = plugins.find(({ type }) => type === 'portmap')
  if (!portmap) return { calls: false, trouble: `${first.name} does not call portmap` }
  if (portmap.capabilities?.portMappings) return { calls: true }
  return { calls: false, trouble: `${first.name} calls portmap without the capability portMappings` }
}

function evidenceOf({ view }: Seen, { own, protocol, port }: HostPort, trouble: string | undefined): Evidence[] {
  if (own) return [shownAt(own)]
  const [config] = view.cni.configs
  const types = pluginsOf(config?.text ?? '')?.map(({ type }) => `"type": "${type}"`)
  if (trouble && config && types) return [shown(`cat /etc/cni/net.d/${config.name}`, types.join(', '))]
  const inNft = view.netfilter.chains.some(({ table }) => table === 'cni_hostport')
  const source = inNft ? 'nft list table ip cni_hostport' : 'iptables-save -t nat | grep CNI-DN-'
  return [shown(source, `(no rule for ${protocol} ${port})`)]
}

/** A program of the host that gets what is sent to the port while no rule leads it to the pod. */
function listenerAt({ view }: Seen, { protocol, port }: HostPort): Evidence[] {
  const found = view.listeners.find((one) => one.protocol === protocol && one.port === port)
  return found ? [shown(`ss -Hlntup sport = :${port}`, `${protocol} ${found.address}:${port} ${found.process}`)] : []
}

/** No check goes to the hostPorts of others than the probe pods. */
function breaksOf(node: string, ports: readonly HostPort[]): Breaks {
  const ours = ports.filter(({ pod }) => isProbe(pod))
  if (ours.length === 0) return { nodes: [] }
  return { scenarios: ['host-port'], nodes: [node], protocols: [...new Set(ours.map(({ protocol }) => protocol))] }
}
