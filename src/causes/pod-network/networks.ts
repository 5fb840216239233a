import type { Cause, Finding } from '../../model/cause.ts'
import { cidrText, contains, networkOf } from '../../model/cidr.ts'
import type { Picture } from '../../model/dump.ts'
import { firstOf, membersOf, nodeEvidence, podCidrText, seenOf, sharersOf } from './ground.ts'

const kubeadmFile = 'kubectl -n kube-system get configmap kubeadm-config -o yaml'
const proxyFile = 'kubectl -n kube-system get configmap kube-proxy -o yaml'
const managerFile = 'grep cluster-cidr /etc/kubernetes/manifests/kube-controller-manager.yaml'

/** The pod network that the cluster was set up with: kubeadm's, else the controller manager's. */
function podSubnetOf({ cluster }: Picture): { text: string; shows: { source: string; line: string } } | null {
  const { kubeadm, controllerManager } = cluster?.configs ?? {}
  if (kubeadm?.podSubnet)
    return { text: kubeadm.podSubnet, shows: { source: kubeadmFile, line: `podSubnet: ${kubeadm.podSubnet}` } }
  if (controllerManager?.clusterCIDR) {
    const text = controllerManager.clusterCIDR
    return { text, shows: { source: managerFile, line: `- --cluster-cidr=${text}` } }
  }
  return null
}

/** Is the Network that flannel was given another one than the cluster's? It is then the root of what flannel does not do. */
export function flannelMismatch(picture: Picture): boolean {
  const subnet = firstOf(podSubnetOf(picture)?.text)
  const network = firstOf(picture.cluster?.configs.flannel?.network)
  return subnet !== null && network !== null && cidrText(subnet) !== cidrText(network)
}

export const cidrMismatchFlannel: Cause = {
  code: 'CIDR_MISMATCH_FLANNEL',
  because:
    'The nodes get their podCIDRs out of podSubnet, and flannel treats only its own Network as pods. A flannel that starts ends at once where a podCIDR is not in its Network; one that runs translates the addresses of pods.',
  shows: "kubectl -n kube-flannel get configmap kube-flannel-cfg -o jsonpath='{.data.net-conf\\.json}'",
  fix: 'Write the podSubnet of kubeadm into Network of net-conf.json, then restart flannel on all nodes.',
  needs: 'flannel',
  find(picture) {
    const said = podSubnetOf(picture)
    const flannel = picture.cluster?.configs.flannel
    const [subnet, network] = [firstOf(said?.text), firstOf(flannel?.network)]
    if (!said || !flannel || !subnet || !network || !flannelMismatch(picture)) return []
    // where flannel still runs with what it read before, nothing is broken yet
    const stopped = seenOf(picture)
      .filter(
        ({ view }) =>
          cidrText(networkOf(view.flannelEnv?.get('FLANNEL_NETWORK') ?? '') ?? network) === cidrText(network),
      )
      .map(({ name }) => name)
    return [
      {
        where: `${flannel.namespace}/kube-flannel-cfg`,
        message: `flannel's Network is ${cidrText(network)}, the pod network of the cluster is ${cidrText(subnet)}`,
        evidence: [
          {
            source: `kubectl -n ${flannel.namespace} get configmap kube-flannel-cfg -o yaml`,
            line: `"Network": "${flannel.network}"`,
          },
          said.shows,
        ],
        // a larger Network lets everything pass; it only claims more than it should
        ...(contains(network, subnet) ? { level: 'warning', breaks: { nodes: [] } } : { breaks: { nodes: stopped } }),
      },
    ]
  },
}

export const cidrMismatchProxy: Cause = {
  code: 'CIDR_MISMATCH_PROXY',
  because:
    'kube-proxy takes packets from outside of its clusterCIDR for foreign ones and translates their source; the controller manager gives nodes podCIDRs out of its own. Where they have another network than the pods, Services see wrong clients, and new nodes get a podCIDR that nobody routes.',
  shows: proxyFile,
  fix: 'Write the podSubnet of kubeadm into clusterCIDR of the ConfigMap kube-proxy (then restart kube-proxy), or into --cluster-cidr of the controller manager.',
  find(picture) {
    const { kubeadm, controllerManager, proxy, flannel } = picture.cluster?.configs ?? {}
    const subnet = firstOf(kubeadm?.podSubnet ?? flannel?.network)
    if (!subnet) return []
    const rows = [
      {
        who: 'kube-proxy',
        key: 'clusterCIDR',
        text: proxy?.clusterCIDR,
        shows: { source: proxyFile, line: `clusterCIDR: ${proxy?.clusterCIDR}` },
        breaks: { scenarios: ['pod-to-service', 'node-to-service', 'traffic-policy', 'hairpin'] },
      },
      {
        who: 'kube-controller-manager',
        key: '--cluster-cidr',
        text: controllerManager?.clusterCIDR,
        shows: { source: managerFile, line: `- --cluster-cidr=${controllerManager?.clusterCIDR}` },
        breaks: { scenarios: ['addresses'] },
      },
    ] as const
    return rows.flatMap(({ who, key, text, shows, breaks }): Finding[] => {
      const network = firstOf(text)
      if (!network || cidrText(network) === cidrText(subnet)) return []
      const message = `${key} of ${who} is ${text}, the pod network is ${cidrText(subnet)}`
      const stated = kubeadm?.podSubnet
        ? { source: kubeadmFile, line: `podSubnet: ${kubeadm.podSubnet}` }
        : { source: 'net-conf.json of flannel', line: `"Network": "${flannel?.network}"` }
      return [{ where: `kube-system/${who}`, message, evidence: [shows, stated], breaks }]
    })
  },
}

export const podcidrUnassigned: Cause = {
  code: 'PODCIDR_UNASSIGNED',
  because:
    'flannel takes the podCIDR of the Node object as its own subnet and does not start without one. So no pod of this node gets an address.',
  shows: 'kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDR:.spec.podCIDR',
  fix: 'Set podSubnet (kubeadm) or --allocate-node-cidrs and --cluster-cidr (controller manager); if they are set, the network is used up: one with more pieces is needed.',
  needs: 'flannel',
  find: (picture) =>
    membersOf(picture)
      .filter(({ api }) => api && api.podCIDRs.length === 0)
      .map(({ name }) => ({
        where: name,
        message: `node ${name} has no podCIDR`,
        evidence: [nodeEvidence(name, 'spec.podCIDR', '(absent)')],
        breaks: { nodes: [name] },
      })),
}

export const podcidrDuplicate: Cause = {
  code: 'PODCIDR_DUPLICATE',
  because:
    'Two nodes give their pods addresses out of the same range, so two pods can have one IP. Every other node has one route for that range and reaches only one of the two nodes.',
  shows: 'kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDR:.spec.podCIDR',
  fix: 'Remove one of the nodes from the cluster and let it join again without a podCIDR of its own; never set spec.podCIDR by hand.',
  find: (picture) =>
    sharersOf(picture).map((group) => {
      const names = group.map(({ name }) => name)
      return {
        where: names.length === 2 ? names.join(' -> ') : names[0]!,
        message: `the podCIDRs of ${names.join(', ')} overlap: ${[...new Set(group.map(podCidrText))].join(', ')}`,
        evidence: group.slice(0, 4).map((member) => nodeEvidence(member.name, 'spec.podCIDR', podCidrText(member))),
        breaks: { nodes: names },
      }
    }),
}

export const podcidrOutside: Cause = {
  code: 'PODCIDR_OUTSIDE',
  because:
    'The podCIDR of the node is in no network that the cluster was set up with. flannel refuses such a subnet, and what is meant for its pods is taken for traffic to the outside and translated.',
  shows: 'kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDR:.spec.podCIDR',
  fix: 'Remove the node from the cluster and let it join again, so that it gets a podCIDR out of podSubnet.',
  find(picture) {
    const said = podSubnetOf(picture)
    const wanted = said?.text ?? picture.cluster?.configs.flannel?.network
    return outsideOf(picture).map(({ name, out }) => ({
      where: name,
      message: `the podCIDR ${out.join(', ')} of ${name} is not in ${wanted}`,
      evidence: [nodeEvidence(name, 'spec.podCIDR', out.join(', ')), ...(said ? [said.shows] : [])],
      breaks: { nodes: [name] },
    }))
  },
}

/** Nodes with podCIDRs that are in none of the networks that any part of the cluster was told. */
function outsideOf(picture: Picture): { name: string; out: string[] }[] {
  const { kubeadm, controllerManager, flannel } = picture.cluster?.configs ?? {}
  const stated = [kubeadm?.podSubnet, controllerManager?.clusterCIDR, flannel?.network]
    .flatMap((list) => list?.split(',') ?? [])
    .flatMap((text) => networkOf(text.trim()) ?? [])
  return membersOf(picture).flatMap(({ name, api }) => {
    const out = (api?.podCIDRs ?? []).filter((text) => {
      const cidr = networkOf(text)
      const same = stated.filter(({ family }) => family === cidr?.family)
      return cidr && same.length > 0 && !same.some((network) => contains(network, cidr))
    })
    return out.length > 0 ? [{ name, out }] : []
  })
}

const wrong = new WeakMap<Picture, ReadonlySet<string>>()

/** Nodes that were given a wrong podCIDR, or none: nothing about it can be in order on them, and that is one root. */
export function misassigned(picture: Picture): ReadonlySet<string> {
  let names = wrong.get(picture)
  if (!names) {
    const shared = sharersOf(picture).flatMap((group) => group.map(({ name }) => name))
    names = new Set([...shared, ...outsideOf(picture).map(({ name }) => name)])
    wrong.set(picture, names)
  }
  return names
}
