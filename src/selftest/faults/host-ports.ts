import type { Fault } from '../fault.ts'
import { rule } from './rule.ts'

const conflist = '/etc/cni/net.d/10-flannel.conflist'
const toHostPorts = '-p tcp -m addrtype --dst-type LOCAL --dport 18000:19999'

/** portmap and its rules; probe pods get theirs anew in each verification. */
export const hostPorts: readonly Fault[] = [
  {
    code: 'HOSTPORT_RULES_MISSING',
    title: 'the CNI configuration of a node does not call portmap',
    on: 'worker',
    level: 'full',
    make: `cp ${conflist} "$S/conflist" && sed -i '/"type": "flannel"/ s/,$//; /"type": "portmap"/d' ${conflist} && ! cmp -s ${conflist} "$S/conflist"`,
    undo: `cp "$S/conflist" ${conflist}`,
  },
  {
    code: 'HOSTPORT_RULES_MISSING',
    title: 'the rules of hostPorts are flushed',
    on: 'worker',
    level: 'static',
    make: `iptables -t nat -S CNI-HOSTPORT-DNAT | sed 1d >"$S/hostports" && iptables -w -t nat -F CNI-HOSTPORT-DNAT`,
    undo: 'while read -r line; do eval "iptables -w -t nat $line"; done <"$S/hostports"; rm "$S/hostports"',
  },
  {
    code: 'HOSTPORT_TAKEN',
    title: 'a rule redirects what comes to hostPorts',
    on: 'worker',
    level: 'full',
    ...rule('PREROUTING -t nat', `${toHostPorts} -j REDIRECT --to-ports 9`),
  },
  {
    code: 'HOSTPORT_BLOCKED',
    title: 'what comes to hostPorts is dropped before it is translated',
    on: 'worker',
    level: 'full',
    ...rule('PREROUTING -t mangle', `${toHostPorts} -j DROP`),
  },
]
