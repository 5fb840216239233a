import { createHash } from 'node:crypto'
import { cluster } from '../facts/cluster.ts'
import { files, paths } from '../facts/files.ts'
import type { Action } from '../model/action.ts'
import { leaderOf } from '../model/inventory.ts'
import { kubectl } from '../model/kubectl.ts'
import { sh } from '../model/shell.ts'
import { type Site, step } from '../model/step.ts'
import { fileIs } from './files.ts'
import { refOf } from './images.ts'
import { template } from './template.ts'

const daemonSet = 'kube-flannel/kube-flannel-ds'

/** flannel is applied with the cluster's own podSubnet, an explicit backend, and the interface that has the node IP. */
export const flannel = step({
  title: 'The pod network is deployed',
  asks: () => ({ files, cluster }),
  plan: ({ files, cluster }, site) => {
    const text = flannelManifest(site)
    const digest = digestOf(text)
    const applied = cluster?.workloads.get(daemonSet)?.digest === digest
    return [...fileIs(files, paths.flannel, text), ...(applied ? [] : [apply])]
  },
})

const apply: Action = {
  kind: 'exec',
  summary: 'kubectl apply the pod network',
  command: kubectl(sh`apply --server-side --force-conflicts --field-manager k8snet -f ${paths.flannel}`),
  timeoutSeconds: 60,
  undo: 'nothing',
}

/** The manifest; its DaemonSet carries a hash of the text, so that a change of anything is noticed and rolls the pods. */
export function flannelManifest(site: Site): string {
  const { network, podSubnet, proxy } = site.inventory.cluster
  const port = network.port === undefined ? {} : { Port: network.port }
  const backends = { vxlan: { Type: 'vxlan', ...port }, udp: { Type: 'udp', ...port }, 'host-gw': { Type: 'host-gw' } }
  const netConf = { Network: podSubnet, EnableNFTables: proxy === 'nftables', Backend: backends[network.backend] }
  const holes = {
    API_HOST: leaderOf(site.inventory).nodeIP,
    IMAGE: refOf(site, 'flannel'),
    NET_CONF: JSON.stringify(netConf),
    TUN_MOUNT: network.backend === 'udp' ? '\n            - { name: tun, mountPath: /dev/net/tun }' : '',
    TUN_VOLUME: network.backend === 'udp' ? '\n        - { name: tun, hostPath: { path: /dev/net/tun } }' : '',
  }
  const digest = createHash('sha256')
    .update(template('flannel.yaml', { ...holes, DIGEST: '' }))
    .digest('hex')
  return template('flannel.yaml', { ...holes, DIGEST: digest.slice(0, 16) })
}

const digestOf = (text: string): string => /k8snet\.dev\/digest: "([0-9a-f]+)"/.exec(text)![1]!
