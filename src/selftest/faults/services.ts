import type { Fault } from '../fault.ts'
import { rule } from './rule.ts'

/** kube-proxy writes the chains of a Service again only when that Service changes, so what is done to those of DNS stays. */
const onDns = (port: string, make: string) => `service kube-system/kube-dns:${port} && ${make}`
const sep = `sep=$(iptables -t nat -S "$chain" | sed -n 's/.*-j \\(KUBE-SEP-[A-Z0-9]*\\)$/\\1/p' | head -n 1)`

const fromOutside = '! -s 10.244.0.0/16 -o cni0 -j MASQUERADE'

const notOnWorker = `{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[
{"key":"kubernetes.io/hostname","operator":"NotIn","values":["'"$WORKER"'"]}]}]}}}`
const proxies = (strategy: string, affinity: string) =>
  `kubectl -n kube-system patch daemonset kube-proxy --type=merge -p '{"spec":{"updateStrategy":${strategy},"template":{"spec":{"affinity":${affinity}}}}}' >/dev/null`

/** kube-proxy and its rules, endpoints and DNS. */
export const services: readonly Fault[] = [
  {
    code: 'KUBE_RULES_MISSING',
    title: 'a Service leads to none of its endpoints',
    on: 'worker',
    level: 'quick',
    make: onDns('dns', 'iptables -t nat -S "$chain" | sed 1d >"$S/chain" && iptables -w -t nat -F "$chain"'),
    undo: 'while read -r line; do eval "iptables -w -t nat $line"; done <"$S/chain"; rm "$S/chain"',
  },
  {
    code: 'KUBE_RULES_STALE',
    title: 'a rule leads to an endpoint that is gone',
    on: 'worker',
    // the quick level asks for so few names that the endpoint that is left often answers them all
    level: 'full',
    make: onDns(
      'dns',
      `${sep} && take nat "$sep" "-j DNAT" && iptables -w -t nat -A "$sep" -p udp -j DNAT --to-destination 10.244.0.251:53 && printf '%s\\n' "$sep" >"$S/sep"`,
    ),
    undo: 'iptables -w -t nat -D "$(cat "$S/sep")" -p udp -j DNAT --to-destination 10.244.0.251:53; give',
  },
  {
    code: 'KUBE_SPREAD_WRONG',
    title: 'nine of ten packets go to the first endpoint',
    on: 'worker',
    level: 'static',
    make: onDns(
      'dns',
      `take nat "$chain" "--probability" && eval "iptables -w -t nat $(printf '%s' "\${line#*:}" | sed "s/^-A [^ ]*/-I $chain \${line%%:*}/; s/--probability [0-9.]*/--probability 0.9/")" && printf '%s\\n' "$chain \${line%%:*}" >"$S/odd"`,
    ),
    undo: `{ read -r chain number; } <"$S/odd" && iptables -w -t nat -D "$chain" "$number"; give`,
  },
  {
    code: 'KUBE_MASQ_MISSING',
    title: 'packets of an endpoint to itself are not marked',
    on: 'leader',
    level: 'static',
    make: onDns('dns', `${sep} && take nat "$sep" "-j KUBE-MARK-MASQ"`),
    undo: 'give',
  },
  {
    code: 'KUBE_RULES_MISSING',
    title: 'a NodePort of a Service with the policy Local leads to no endpoint',
    on: 'worker',
    level: 'static',
    make: 'door && take nat "$ext" "-j $svl"',
    undo: 'give',
  },
  {
    code: 'TRAFFIC_POLICY_BROKEN',
    title: 'a Service with the policy Local leads to endpoints of all nodes',
    on: 'worker',
    level: 'static',
    make: 'door && take nat "$ext" "-j $svl" && iptables -w -t nat -A "$ext" -j "$svc" && printf \'%s\\n\' "$ext -j $svc" >"$S/odd"',
    undo: 'xargs iptables -w -t nat -D <"$S/odd"; rm -f "$S/odd"; give',
  },
  {
    code: 'TRAFFIC_POLICY_BROKEN',
    title: 'kube-proxy marks clients whose address has to be kept',
    on: 'worker',
    level: 'static',
    make: 'door && iptables -w -t nat -I "$ext" -j KUBE-MARK-MASQ && printf \'%s\\n\' "$ext -j KUBE-MARK-MASQ" >"$S/odd"',
    undo: 'xargs iptables -w -t nat -D <"$S/odd"; rm -f "$S/odd"',
  },
  {
    code: 'TRAFFIC_POLICY_BROKEN',
    title: 'a rule gives what comes to pods from outside the address of the node',
    // the Services of the checks that are Local have their endpoint there
    on: 'leader',
    level: 'full',
    ...rule('POSTROUTING -t nat', fromOutside),
  },
  {
    code: 'KUBE_PROXY_DOWN',
    title: 'a node has no kube-proxy',
    on: 'leader',
    level: 'quick',
    // only the pod of the worker goes; those of the others stay as they are, now and when it is undone
    make: proxies('{"type":"OnDelete","rollingUpdate":null}', notOnWorker),
    undo: `${proxies('{"type":"OnDelete","rollingUpdate":null}', 'null')}
${proxies('{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":1}}', 'null')}`,
    settle: `! kubectl -n kube-system get pods -l k8s-app=kube-proxy --field-selector spec.nodeName="$WORKER" -o name | grep -q .`,
  },
  {
    code: 'UDP_CONNTRACK_STALE',
    title: 'a UDP connection is kept to an endpoint that is gone',
    on: 'worker',
    level: 'static',
    // kube-proxy takes such entries away with its next synchronisation; it may still owe one to a verification that has ended
    make: `subnet && while iptables-save -t nat | grep -q k8snet-verify-; do sleep 0.5; done && freeze kube-proxy && conntrack -I -p udp -s "$net"250 -d 10.96.0.10 --sport 40000 --dport 53 --dst-nat 10.244.0.251 --timeout 600 --status SEEN_REPLY,ASSURED >/dev/null`,
    undo: 'conntrack -D -p udp -d 10.96.0.10 --reply-src 10.244.0.251 >/dev/null 2>&1; thaw kube-proxy; true',
  },
  {
    code: 'SERVICE_NO_ENDPOINTS',
    title: 'a Service selects no pod',
    on: 'leader',
    level: 'static',
    make: `kubectl -n "$NS" create service clusterip nobody --tcp=80 >/dev/null`,
    undo: 'kubectl -n "$NS" delete service nobody --ignore-not-found >/dev/null',
    settle: 'kubectl -n "$NS" get endpointslices -l kubernetes.io/service-name=nobody -o name | grep -q .',
  },
  {
    code: 'NETPOL_NOT_ENFORCED',
    title: 'a NetworkPolicy that nobody enforces',
    on: 'leader',
    level: 'static',
    make: `kubectl create -f - >/dev/null <<END
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"nothing","namespace":"$NS"},"spec":{"podSelector":{},"policyTypes":["Ingress"]}}
END`,
    undo: 'kubectl -n "$NS" delete networkpolicy nothing --ignore-not-found >/dev/null',
  },
]
