import { stringify } from 'yaml'
import { installed } from '../facts/artifacts.ts'
import { cgroupVersion } from '../facts/cgroup.ts'
import { container } from '../facts/container.ts'
import { type Files, files, linesOf, paths } from '../facts/files.ts'
import { membership } from '../facts/membership.ts'
import { isLoopbackOnly, upstreams } from '../facts/resolver.ts'
import { stateOf, units } from '../facts/units.ts'
import type { Action } from '../model/action.ts'
import type { Host } from '../model/inventory.ts'
import { step } from '../model/step.ts'
import { filesFor, uploadOf } from './artifacts.ts'
import { fileIs } from './files.ts'
import { template } from './template.ts'

const unit = 'kubelet.service'

/**
 * The kubelet's unit is there and enabled; kubeadm starts it. What is true of this host only (cgroup v1, a container as host,
 * a resolv.conf that pods cannot use) is in a file of its own, which the kubelet lays over kubeadm's configuration.
 */
export const kubelet = step({
  title: 'The kubelet is set up for this host and starts at boot',
  asks: (site) => ({
    files,
    units,
    container,
    cgroupVersion,
    membership,
    installed: installed(filesFor(site).filter(({ name }) => name === 'kubelet')),
  }),
  plan: ({ files, units, container, cgroupVersion, membership, installed }, site) => {
    const resolver = units.get('systemd-resolved.service')?.active ? null : resolvConf(files, site.host)
    const changed = [
      ...fileIs(files, paths.kubeletUnit, template('kubelet.service')),
      ...fileIs(files, paths.kubeletDropIn, template('10-kubeadm.conf')),
      ...fileIs(files, paths.kubeletHost, hostConfig({ container, cgroupVersion, resolver })),
      ...(resolver === null ? [] : fileIs(files, paths.kubeletResolvConf, resolver)),
    ]
    const uploads = filesFor(site)
      .filter(({ name }) => name === 'kubelet')
      .flatMap((artifact) => uploadOf(artifact, installed))
    const stale = changed.length + uploads.length > 0
    return [...changed, ...service(stateOf(units, unit), membership.kubelet !== null && !membership.half, stale)]
  },
})

function service(was: ReturnType<typeof stateOf>, isMember: boolean, stale: boolean): Action[] {
  if (was.enabled === 'enabled' && (was.active || !isMember) && !(stale && was.active)) return []
  return [
    {
      kind: 'service',
      unit,
      was,
      want: { enabled: 'enabled', ...(isMember && { active: true }) },
      ...(stale && was.active && { restart: true }),
    },
  ]
}

interface HostTraits {
  readonly container: boolean
  readonly cgroupVersion: 1 | 2
  readonly resolver: string | null
}

/** The kubelet refuses to start on cgroup v1 since 1.35, with swap, and where it may not set limits: each is lifted only here. */
function hostConfig({ container, cgroupVersion, resolver }: HostTraits): string {
  return `# Written by k8snet: what is true of this host only.\n${stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    ...(cgroupVersion === 1 && { failCgroupV1: false }),
    ...(container && { failSwapOn: false, featureGates: { KubeletInUserNamespace: true } }),
    ...(resolver !== null && { resolvConf: paths.kubeletResolvConf }),
  })}`
}

/**
 * A resolv.conf for pods, where the host's own names only loopback servers: its other lines stay, the servers become those that
 * are behind the loopback one, or else the host itself, which answers if its resolver listens there and refuses at once if not.
 */
function resolvConf(found: Files, { nodeIP }: Host): string | null {
  const lines = linesOf(found, paths.resolvConf)
  if (!isLoopbackOnly(lines)) return null
  const servers = upstreams(lines)
  return [
    '# Written by k8snet: the servers of /etc/resolv.conf are loopback addresses, which mean the pod itself in a pod.',
    ...(servers.length > 0 ? servers.slice(0, 3) : [nodeIP]).map((server) => `nameserver ${server}`),
    ...lines.filter((line) => /^\s*(search|options)\s/.test(line)),
    '',
  ].join('\n')
}
