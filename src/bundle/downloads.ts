import { type Arch, versionsOf } from './versions.ts'

/** A file of a download site and what of it goes into a bundle. Addresses have no scheme. */
export interface Download {
  readonly address: string
  /** A file beside it that holds its sha256, alone or as a line of `sha256sum`. */
  readonly sums: string
  /** Names of artifacts by their path in the archive; where it is no archive, the one name. */
  readonly holds: string | Readonly<Record<string, string>>
}

/** Where each project publishes its binaries. */
export function downloads(kubernetes: string, arch: Arch): Download[] {
  const v = versionsOf(kubernetes)
  const github = 'github.com'
  const kube = `dl.k8s.io/release/v${kubernetes}/bin/linux/${arch}`
  const runc = `${github}/opencontainers/runc/releases/download/v${v.runc}`
  const flannel = `${github}/flannel-io/cni-plugin/releases/download/v${v.flannelCni.releases}`
  const archive = (address: string, suffix: string, holds: Readonly<Record<string, string>>): Download => ({
    address,
    sums: `${address}${suffix}`,
    holds,
  })
  return [
    ...['kubeadm', 'kubelet', 'kubectl'].map((name) => ({
      address: `${kube}/${name}`,
      sums: `${kube}/${name}.sha256`,
      holds: name,
    })),
    archive(
      `${github}/containerd/containerd/releases/download/v${v.containerd}/containerd-static-${v.containerd}-linux-${arch}.tar.gz`,
      '.sha256sum',
      {
        'bin/containerd': 'containerd',
        'bin/containerd-shim-runc-v2': 'containerd-shim-runc-v2',
        'bin/ctr': 'ctr',
      },
    ),
    { address: `${runc}/runc.${arch}`, sums: `${runc}/runc.sha256sum`, holds: 'runc' },
    archive(
      `${github}/kubernetes-sigs/cri-tools/releases/download/v${v.crictl}/crictl-v${v.crictl}-linux-${arch}.tar.gz`,
      '.sha256',
      { crictl: 'crictl' },
    ),
    archive(
      `${github}/containernetworking/plugins/releases/download/v${v.cni}/cni-plugins-linux-${arch}-v${v.cni}.tgz`,
      '.sha256',
      Object.fromEntries(['bridge', 'host-local', 'loopback', 'portmap', 'firewall'].map((name) => [name, name])),
    ),
    // the name of the file has the version without its -flannelN
    archive(`${flannel}/cni-plugin-flannel-linux-${arch}-v${v.flannelCni.releases.replace(/-.*/, '')}.tgz`, '.sha256', {
      [`flannel-${arch}`]: 'flannel',
    }),
  ]
}

/** The sha256 of `file` in a checksum file: a line of `sha256sum`, or the one hash that it holds. */
export function sumFor(text: string, file: string): string | undefined {
  const lines = text.split('\n').map((line) => /^([0-9a-f]{64})(?:\s+\*?(?:\.\/)?(\S+))?\s*$/i.exec(line))
  const found = lines.find((line) => line?.[2] === file) ?? lines.find((line) => line && line[2] === undefined)
  return found?.[1]?.toLowerCase()
}
