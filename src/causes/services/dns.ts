import type { Cause, Finding } from '../../model/cause.ts'
import type { ApiPod, ApiService, Picture } from '../../model/dump.ts'
import { isV4, onNodes, shown, some } from '../host/tools.ts'
import { isDns } from './wanted.ts'

const isCoreDns = ({ namespace, labels }: ApiPod): boolean =>
  namespace === 'kube-system' && labels['k8s-app'] === 'kube-dns'

function dnsOf(picture: Picture): { service?: ApiService; pods: readonly ApiPod[]; endpoints: number } {
  const { cluster } = picture
  const service = cluster?.services.find(isDns)
  const slices = cluster?.slices.filter((slice) => slice.namespace === 'kube-system' && slice.service === service?.name)
  return {
    ...(service && { service }),
    pods: cluster?.pods.filter((pod) => isCoreDns(pod) && !pod.leaving) ?? [],
    endpoints: slices?.flatMap(({ endpoints }) => endpoints).filter(({ ready }) => ready).length ?? 0,
  }
}

const allNodes = { scenarios: ['dns'] } as const

export const coreDnsLoop: Cause = {
  code: 'COREDNS_LOOP',
  because:
    'CoreDNS asks the server that its Corefile names, or the resolv.conf that the kubelet gives it, and that is itself: a loopback address, or the Service of cluster DNS. It sees that it asks itself, and stops.',
  shows: 'kubectl -n kube-system logs -l k8s-app=kube-dns --previous; cat /etc/resolv.conf',
  fix: "Give the kubelet a file with real servers (resolvConf: /run/systemd/resolve/resolv.conf in /var/lib/kubelet/config.yaml), restart it, and delete CoreDNS's pods.",
  find: (picture) => loopOf(picture),
}

const loopback = /^(127\.|::1$|\[::1\]|localhost$)/

function loopOf(picture: Picture): Finding[] {
  const corefile = picture.cluster?.configs.corefile
  const { pods, service } = dnsOf(picture)
  const forward = /^\s*forward\s+\.\s+[^{\n]*/m.exec(corefile ?? '')?.[0].trim()
  const itself = forward
    ?.split(/\s+/)
    .slice(2)
    .find((server) => loopback.test(server) || service?.clusterIPs.includes(server))
  const looping = pods.flatMap((pod) => {
    if (pod.ready) return []
    const said = pod.containers.map(({ ended }) => ended ?? '').find((text) => /plugin\/loop|Loop \(/.test(text))
    const node = picture.nodes.get(pod.node)
    const crashed = pod.containers.some(({ waiting, restarts }) => waiting === 'CrashLoopBackOff' || restarts > 0)
    const asks = corefile === undefined || (/\bloop\b/.test(corefile) && corefile.includes('/etc/resolv.conf'))
    const { kubelet = [], kubeletFile = '' } = node?.resolvers ?? {}
    const own = asks ? kubelet.find((server) => loopback.test(server)) : undefined
    return said || (crashed && (own || itself)) ? [{ pod, said, own, kubeletFile }] : []
  })
  const first = looping[0]
  if (!first) return []
  return [
    {
      where: 'kube-system/coredns',
      message: `CoreDNS asks itself: ${itself ? `its Corefile names ${itself}` : first.own ? `${first.kubeletFile} of ${first.pod.node} names ${first.own}` : `${first.pod.name} ended by its loop check`}`,
      evidence: [
        ...(first.said
          ? [shown(`kubectl -n kube-system logs ${first.pod.name} --previous`, lastLine(first.said))]
          : []),
        ...(itself && forward ? [shown('kubectl -n kube-system get configmap coredns -o yaml', forward)] : []),
        ...(first.own ? [shown(`${first.pod.node}: cat ${first.kubeletFile}`, `nameserver ${first.own}`)] : []),
        ...(first.said ? [] : [shown('kubectl -n kube-system get pods -l k8s-app=kube-dns', podLine(first.pod))]),
      ],
      breaks: allNodes,
      ...(itself && {
        fix: `Name other servers than ${itself} after forward (kubectl -n kube-system edit configmap coredns), and delete CoreDNS's pods.`,
      }),
    },
  ]
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''

function podLine(pod: ApiPod): string {
  const why = pod.containers.map(({ waiting, ended }) => waiting ?? ended).find(Boolean)
  return `${pod.name} ${pod.phase}, ${pod.ready ? 'ready' : 'not ready'}${why ? `: ${lastLine(why)}` : ''}`
}

export const coreDnsNotReady: Cause = {
  code: 'COREDNS_NOT_READY',
  because:
    'The pods of CoreDNS are there, but none of them is ready, so the Service kube-dns leads nowhere. No pod of the cluster resolves a name.',
  shows: 'kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide',
  fix: 'See why: kubectl -n kube-system describe pods -l k8s-app=kube-dns, and their logs. CoreDNS is ready once it reaches the API server.',
  find: (picture) => {
    const { pods } = dnsOf(picture)
    if (pods.length === 0 || pods.some(({ ready }) => ready) || loopOf(picture).length > 0) return []
    return [
      {
        where: 'kube-system/coredns',
        message: `none of the ${pods.length} pods of CoreDNS is ready`,
        evidence: pods
          .slice(0, 3)
          .map((pod) =>
            shown(
              'kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide',
              `${podLine(pod)} (${pod.node || 'on no node'})`,
            ),
          ),
        breaks: allNodes,
      },
    ]
  },
}

export const dnsNoEndpoints: Cause = {
  code: 'DNS_NO_ENDPOINTS',
  because: 'The Service of cluster DNS has no endpoint: CoreDNS has no pod, or its pods do not fit the selector.',
  shows: 'kubectl -n kube-system get endpointslices -l kubernetes.io/service-name=kube-dns',
  fix: 'Bring CoreDNS back: kubectl -n kube-system scale deployment coredns --replicas=2.',
  find: (picture) => {
    const { service, pods, endpoints } = dnsOf(picture)
    if (!service || endpoints > 0 || (pods.length > 0 && pods.every(({ ready }) => !ready))) return []
    return [
      {
        where: `kube-system/${service.name}`,
        message:
          pods.length === 0
            ? 'cluster DNS has no pod'
            : `cluster DNS has ${pods.length} pods, but its Service has no endpoint`,
        evidence: [
          shown(
            `kubectl -n kube-system get endpointslices -l kubernetes.io/service-name=${service.name}`,
            '(no ready endpoint)',
          ),
          shown(
            'kubectl -n kube-system get pods -l k8s-app=kube-dns',
            pods[0] ? podLine(pods[0]) : 'No resources found in kube-system namespace.',
          ),
        ],
        breaks: allNodes,
      },
    ]
  },
}

export const kubeletDnsMismatch: Cause = {
  code: 'KUBELET_DNS_MISMATCH',
  because:
    'The kubelet writes the DNS server and the search domain into every pod, and on this node they are not those of the cluster. Names resolve in pods of other nodes, but not in those that start here.',
  shows: 'grep -A1 clusterDNS /var/lib/kubelet/config.yaml; kubectl -n kube-system get service kube-dns',
  fix: 'Correct clusterDNS and clusterDomain in /var/lib/kubelet/config.yaml, restart the kubelet, and recreate the pods of the node.',
  find: (picture) => {
    const ips = new Set(picture.cluster?.services.flatMap(({ clusterIPs }) => clusterIPs))
    const { service } = dnsOf(picture)
    const domain = picture.cluster?.configs.kubeadm?.dnsDomain
    return onNodes(picture, (node) => {
      const { clusterDNS, clusterDomain } = node.kubelet
      const local = (ip: string) =>
        ip.startsWith('169.254.') || node.links.some(({ addresses }) => addresses.some((one) => one.ip === ip))
      const wrong = service && clusterDNS.length > 0 && !clusterDNS.some((ip) => !isV4(ip) || ips.has(ip) || local(ip))
      const foreign = domain !== undefined && clusterDomain !== undefined && clusterDomain !== domain
      if (!wrong && !foreign) return null
      return {
        where: node.node,
        message: wrong
          ? `the kubelet of ${node.node} gives pods ${some(clusterDNS)} as DNS server, and cluster DNS is ${service.clusterIPs.join(', ')}`
          : `the kubelet of ${node.node} gives pods the domain ${clusterDomain}, and that of the cluster is ${domain}`,
        evidence: [
          shown(
            'cat /var/lib/kubelet/config.yaml',
            wrong ? `clusterDNS: [${clusterDNS.join(', ')}]` : `clusterDomain: ${clusterDomain}`,
          ),
        ],
        breaks: { scenarios: ['dns'], nodes: [node.node] },
      }
    })
  },
}

/** Fewer come of a table that was busy once, since the host started. */
const manyFailed = 100

export const dnsConntrackRace: Cause = {
  code: 'DNS_CONNTRACK_RACE',
  because:
    'Two packets of one client at one moment want the same entry in the table of connections, and the kernel drops the second: resolvers that ask for A and AAAA at once wait 5 seconds for an answer. insert_failed counts those.',
  shows: 'cat /proc/net/stat/nf_conntrack',
  fix: 'Use NodeLocal DNSCache, or "options single-request-reopen" in the pods; the rules that masquerade should say --random-fully.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const failed = node.conntrack.get('insert_failed') ?? 0
      if (failed < manyFailed) return null
      return {
        where: node.node,
        message: `${node.node} dropped ${failed} packets since it started, because it could not enter them into its table of connections`,
        evidence: [shown('cat /proc/net/stat/nf_conntrack', `insert_failed, all processors together: ${failed}`)],
        breaks: { scenarios: ['dns'], nodes: [node.node], protocols: ['udp'] },
        level: 'warning',
      }
    }),
}
