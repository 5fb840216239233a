import { spawn } from 'node:child_process'
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { parse } from 'yaml'
import { imageArchive } from '../../src/bundle/archive.ts'
import { readBundle } from '../../src/bundle/manifest.ts'
import type { FileArtifact, ImageArtifact } from '../../src/model/bundle.ts'
import { type Ended, run } from '../helpers/cli.ts'
import { inventory } from '../helpers/lab.ts'

/** A cluster as one makes it by hand: plain ssh, tar, ctr, kubeadm and upstream's manifest, without a trace of k8snet. */

interface LabHost {
  role: string
  address: string
  port: number
  nodeIP: string
  user: string
  key: string
}
export const lab = (): { source: { bundle: string }; hosts: Record<string, LabHost> } =>
  parse(readFileSync(inventory, 'utf8'))

/** A home whose ~/.ssh/config and known_hosts lead to the hosts by their names, and by the addresses that the cluster has of them. */
export function homeFor(): string {
  const home = mkdtempSync(join(tmpdir(), 'k8snet-by-hand-'))
  const hosts = Object.entries(lab().hosts)
  const known = readFileSync('vagrant/known_hosts', 'utf8').split('\n')
  const config = hosts.map(
    ([name, { address, port, nodeIP, user, key }]) => `Host ${name}
  HostName ${address}
  Port ${port}
  User ${user}
  HostKeyAlias ${nodeIP}
Host ${name} ${nodeIP}
  IdentityFile ${key}
  IdentitiesOnly yes
  UserKnownHostsFile ${home}/.ssh/known_hosts
  StrictHostKeyChecking yes
`,
  )
  const keys = hosts.flatMap(([, { address, port, nodeIP }]) =>
    known.flatMap((line) =>
      line.startsWith(`[${address}]:${port} `) ? `${nodeIP} ${line.slice(line.indexOf(' ') + 1)}` : [],
    ),
  )
  const ssh = join(home, '.ssh')
  mkdirSync(ssh, { mode: 0o700 })
  writeFileSync(join(ssh, 'config'), config.join(''), { mode: 0o600 })
  writeFileSync(join(ssh, 'known_hosts'), `${keys.join('\n')}\n`)
  return home
}

/** Runs a script as root on a host by plain ssh. */
export const byHand = (home: string, host: string, script: string): Promise<Ended> =>
  run('ssh', ['-F', join(home, '.ssh/config'), host, 'sudo sh -s'], { input: script })

/** The same, and what goes wrong ends the test. */
export async function sure(home: string, host: string, script: string): Promise<string> {
  const ended = await byHand(home, host, `set -eu\n${script}`)
  if (ended.code !== 0) throw new Error(`${host}: ${script}\n${ended.out}\n${ended.err}`)
  return ended.out
}

/** Lets a program on a host read a stream: `tar x`, `ctr images import -`. */
export function feed(home: string, host: string, command: string, bytes: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('ssh', ['-F', join(home, '.ssh/config'), host, `sudo ${command}`], {
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    let err = ''
    child.stderr.on('data', (data) => {
      err += data
    })
    bytes.on('error', reject)
    child.stdin.on('error', () => {})
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${host}: ${command}: ${err}`))))
    bytes.pipe(child.stdin)
  })
}

/** Path of an image that test/images/make.sh makes. */
export async function imageOf(name: string): Promise<string> {
  const made = await run('sh', ['test/images/make.sh', name])
  if (made.code !== 0) throw new Error(made.err)
  return made.out.trim().split('\n').at(-1) as string
}

export async function importImage(home: string, host: string, name: string): Promise<void> {
  await feed(home, host, 'ctr -n k8s.io images import -', createReadStream(await imageOf(name)))
}

const containerd = `version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'registry.k8s.io/pause:3.10.2'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = true
`
const unit = (name: string, exec: string) => `[Unit]
Description=${name}
After=network-online.target
[Service]
ExecStart=${exec}
Restart=always
RestartSec=3
${name === 'containerd' ? 'Delegate=yes\nKillMode=process\n' : ''}[Install]
WantedBy=multi-user.target
`
const kubelet =
  '/bin/sh -c ". /var/lib/kubelet/kubeadm-flags.env; exec /usr/local/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS"'
const file = (path: string, text: string) =>
  `mkdir -p ${path.replace(/[^/]*$/, '')}\ncat >${path} <<'END'\n${text}\nEND`

/** Programs, images, modules, sysctls and units of one host. */
export async function prepare(home: string, host: string): Promise<void> {
  const { bundle: dir } = lab().source
  const bundle = await readBundle(dir, { kubernetes: '1.37.1' })
  const files = bundle.artifacts.filter((it): it is FileArtifact => it.kind !== 'image')
  const images = bundle.artifacts.filter(
    (it): it is ImageArtifact => it.kind === 'image' && !it.name.includes('flannel'),
  )
  for (const [to, kind] of [
    ['/usr/local/bin', 'binary'],
    ['/opt/cni/bin', 'cni'],
  ] as const) {
    const names = files.filter((it) => it.kind === kind && it.name !== 'flannel').map(({ name }) => name)
    const tar = spawn('tar', ['-C', join(dir, 'files'), '-cf', '-', ...names])
    await feed(home, host, `sh -c 'mkdir -p ${to} && tar -C ${to} -xf -'`, tar.stdout)
  }
  await sure(
    home,
    host,
    `
${file('/etc/containerd/config.toml', containerd)}
${file('/etc/systemd/system/containerd.service', unit('containerd', '/usr/local/bin/containerd'))}
${file('/etc/systemd/system/kubelet.service', unit('kubelet', kubelet))}
${file('/etc/kubernetes/resolv.conf', 'nameserver 192.168.0.1')}
modprobe -a overlay br_netfilter vxlan || :
sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
swapoff -a || :
systemctl daemon-reload
systemctl enable -q --now containerd
systemctl enable -q kubelet
`,
  )
  await feed(home, host, 'ctr -n k8s.io images import -', imageArchive(dir, images).stream)
  for (const name of ['flannel', 'flannel-cni-plugin']) await importImage(home, host, name)
}

/** What hosts that are containers need besides; of the networks it says what kubeadm's flags would say. */
const initConfig = ({ nodeIP }: LabHost) => `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: { advertiseAddress: ${nodeIP} }
nodeRegistration:
  imagePullPolicy: Never
  ignorePreflightErrors: [all]
  kubeletExtraArgs: [{ name: node-ip, value: ${nodeIP} }]
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.1
networking: { podSubnet: 10.244.0.0/16 }
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failSwapOn: false
failCgroupV1: false
featureGates: { KubeletInUserNamespace: true }
resolvConf: /etc/kubernetes/resolv.conf
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clusterCIDR: 10.244.0.0/16
conntrack: { maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s }
`
const joinConfig = (
  { nodeIP }: LabHost,
  leader: LabHost,
  token: string,
  hash: string,
) => `apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken: { apiServerEndpoint: '${leader.nodeIP}:6443', token: ${token}, caCertHashes: ['${hash}'] }
nodeRegistration:
  imagePullPolicy: Never
  ignorePreflightErrors: [all]
  kubeletExtraArgs: [{ name: node-ip, value: ${nodeIP} }]
`

/** It keeps no cache in root's home: there one of verify would show. */
export const kubectl = 'KUBECONFIG=/etc/kubernetes/admin.conf KUBECACHEDIR=/dev/null/none kubectl'

/** A pod of its users on every node: the first one of a node makes the bridge and CNI's directories, which stay. */
const used = JSON.stringify({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'used', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'used' } },
    template: {
      metadata: { labels: { app: 'used' } },
      spec: {
        tolerations: [{ operator: 'Exists' }],
        containers: [{ name: 'pause', image: 'registry.k8s.io/pause:3.10.2', imagePullPolicy: 'Never' }],
      },
    },
  },
})

/** kubeadm init on the first host, join on the others, then upstream's manifest; ends when all nodes and their pods are ready. */
export async function makeCluster(home: string, manifest: string): Promise<void> {
  const [[leaderName, leader], ...others] = Object.entries(lab().hosts) as [[string, LabHost], ...[string, LabHost][]]
  await sure(home, leaderName, `${file('/root/init.yaml', initConfig(leader))}\nkubeadm init --config /root/init.yaml`)
  const command = await sure(home, leaderName, 'kubeadm token create --print-join-command')
  const [, token = '', hash = ''] = /--token (\S+) .*--discovery-token-ca-cert-hash (\S+)/.exec(command) ?? []
  // The hosts' default route leads to the network of the lab's NAT: what flannel's documentation says for Vagrant.
  const text = readFileSync(manifest, 'utf8').replace(
    '- --kube-subnet-mgr',
    '- --kube-subnet-mgr\n        - --iface=eth1',
  )
  await sure(home, leaderName, `${file('/root/kube-flannel.yml', text)}\n${kubectl} apply -f /root/kube-flannel.yml`)
  await Promise.all(
    others.map(([name, host]) =>
      sure(
        home,
        name,
        `${file('/root/join.yaml', joinConfig(host, leader, token, hash))}\nkubeadm join --config /root/join.yaml`,
      ),
    ),
  )
  await sure(
    home,
    leaderName,
    `${kubectl} wait node --all --for=condition=Ready --timeout=600s
${kubectl} -n kube-system rollout status deployment/coredns --timeout=600s
${kubectl} -n kube-flannel rollout status daemonset/kube-flannel-ds --timeout=600s
${file('/root/used.json', used)}
${kubectl} apply -f /root/used.json
${kubectl} rollout status daemonset/used --timeout=600s`,
  )
}
