import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './child.ts'
import { type GoRecipe, goRecipe } from './go.ts'
import type { Recipe } from './recipe.ts'
import { debianRoot } from './root.ts'
import { type Arch, versionsOf } from './versions.ts'

const source = fileURLToPath(new URL('../../templates/source/', import.meta.url))
const plugins = 'github.com/containernetworking/plugins'
const cloud = 'github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud'

/** Everything that is built for a bundle `--from source`. `go` is what `go version` says. */
export async function recipes(kubernetes: string, arch: Arch, go: string): Promise<Recipe[]> {
  const setup = { arch, go, standIns: join(source, 'sdk') }
  return [
    debianRoot(arch),
    await pause(arch),
    ...goRecipes(kubernetes).map((it) => {
      const made = goRecipe(it, setup)
      return it.name === 'runc' ? { ...made, needs: [...made.needs, 'libseccomp' as const] } : made
    }),
  ]
}

/** The table. Seconds are of two quiet cores with empty caches. */
export function goRecipes(kubernetes: string): GoRecipe[] {
  const v = versionsOf(kubernetes)
  const [major = '', minor = '', patch = ''] = kubernetes.split('.')
  const stamp = {
    gitVersion: `v${kubernetes}`,
    gitMajor: major,
    gitMinor: minor,
    gitCommit: '0'.repeat(40),
    gitTreeState: 'clean',
    buildDate: v.date,
  }
  const stamped = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((path) =>
    Object.entries(stamp).map(([name, value]) => [`${path}.${name}`, value]),
  )
  return [
    {
      name: 'runc',
      module: 'github.com/opencontainers/runc',
      version: `v${v.runc}`,
      programs: { runc: 'github.com/opencontainers/runc' },
      cgo: true,
      tags: ['seccomp', 'netgo', 'osusergo'],
      set: { 'main.version': v.runc },
      seconds: 15,
      gigabytes: 0.3,
    },
    {
      name: 'crictl',
      module: 'sigs.k8s.io/cri-tools',
      version: `v${v.crictl}`,
      programs: { crictl: 'sigs.k8s.io/cri-tools/cmd/crictl' },
      set: { 'sigs.k8s.io/cri-tools/pkg/version.Version': v.crictl },
      seconds: 30,
      gigabytes: 0.7,
    },
    {
      name: 'cni-plugins',
      module: plugins,
      version: `v${v.cni}`,
      programs: {
        bridge: `${plugins}/plugins/main/bridge`,
        loopback: `${plugins}/plugins/main/loopback`,
        'host-local': `${plugins}/plugins/ipam/host-local`,
        portmap: `${plugins}/plugins/meta/portmap`,
        firewall: `${plugins}/plugins/meta/firewall`,
      },
      set: { [`${plugins}/pkg/utils/buildversion.BuildVersion`]: `v${v.cni}` },
      seconds: 15,
      gigabytes: 0.2,
    },
    {
      name: 'cni-flannel',
      module: plugins,
      version: `v${v.flannelCni.source}`,
      programs: { flannel: `${plugins}/plugins/meta/flannel` },
      seconds: 5,
      gigabytes: 0.1,
    },
    {
      name: 'flanneld',
      module: 'github.com/flannel-io/flannel',
      version: `v${v.flannel}`,
      programs: { flanneld: 'github.com/flannel-io/flannel' },
      cgo: true,
      tags: ['netgo', 'osusergo'],
      set: { 'github.com/flannel-io/flannel/pkg/version.Version': `v${v.flannel}` },
      standIns: { [`${cloud}/common`]: 'common', [`${cloud}/vpc`]: 'vpc' },
      seconds: 60,
      gigabytes: 1,
    },
    {
      name: 'containerd',
      module: 'github.com/containerd/containerd/v2',
      version: `v${v.containerd}`,
      programs: Object.fromEntries(
        ['containerd', 'ctr', 'containerd-shim-runc-v2'].map((name) => [
          name,
          `github.com/containerd/containerd/v2/cmd/${name}`,
        ]),
      ),
      set: { 'github.com/containerd/containerd/v2/version.Version': `v${v.containerd}` },
      seconds: 55,
      gigabytes: 1,
    },
    {
      name: 'coredns',
      module: 'github.com/coredns/coredns',
      version: `v${v.coredns}`,
      programs: { coredns: 'github.com/coredns/coredns' },
      tags: ['grpcnotrace'],
      seconds: 70,
      gigabytes: 1.5,
    },
    {
      name: 'etcd',
      module: 'go.etcd.io/etcd/server/v3',
      version: `v${v.etcd.source}`,
      programs: { etcd: 'go.etcd.io/etcd/server/v3' },
      seconds: 30,
      gigabytes: 0.7,
    },
    {
      name: 'kubernetes',
      module: 'k8s.io/kubernetes',
      version: `v${kubernetes}`,
      programs: Object.fromEntries(
        [
          'kubeadm',
          'kubelet',
          'kubectl',
          'kube-apiserver',
          'kube-controller-manager',
          'kube-scheduler',
          'kube-proxy',
        ].map((name) => [name, `k8s.io/kubernetes/cmd/${name}`]),
      ),
      set: Object.fromEntries(stamped),
      staging: `v0.${minor}.${patch}`,
      seconds: 400,
      gigabytes: 5.5,
    },
  ]
}

/** The program of the pause image. */
async function pause(arch: Arch): Promise<Recipe> {
  const file = join(source, 'pause.c')
  return {
    name: 'pause',
    outputs: ['pause'],
    key: [arch, await readFile(file, 'utf8')],
    seconds: 1,
    gigabytes: 0,
    needs: ['gcc'],
    make: async (kitchen) => {
      await writeFile(join(kitchen.work, 'pause.c'), await readFile(file))
      await run(['gcc', '-Os', '-static', '-s', '-Wall', '-o', join(kitchen.out, 'pause'), 'pause.c'], {
        ...kitchen,
        cwd: kitchen.work,
      })
    },
  }
}
