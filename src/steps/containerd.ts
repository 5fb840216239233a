import { installed } from '../facts/artifacts.ts'
import { container } from '../facts/container.ts'
import { type Directories, directories } from '../facts/directories.ts'
import { files, paths } from '../facts/files.ts'
import { stateOf, units } from '../facts/units.ts'
import type { Action, ServiceAction } from '../model/action.ts'
import { type Site, step } from '../model/step.ts'
import { filesFor, uploadOf } from './artifacts.ts'
import { fileIs } from './files.ts'
import { refOf } from './images.ts'
import { emptied } from './owned.ts'
import { template } from './template.ts'

const unit = 'containerd.service'
/** What containerd fills by itself, and what therefore goes when it goes. */
const its = [
  '/etc/cni',
  '/etc/cni/net.d',
  '/opt/containerd',
  '/run/containerd',
  '/run/netns',
  '/run/nri',
  '/var/lib/containerd',
] as const

/** containerd runs, with systemd's cgroups, the bundle's sandbox image and the plugins in /opt/cni/bin. */
export const containerd = step({
  title: 'containerd runs, set up for Kubernetes',
  asks: (site) => ({ files, units, container, directories, installed: installed(filesFor(site)) }),
  plan: ({ files, units, container, directories, installed }, site) => {
    const config = [
      ...fileIs(files, paths.containerd, configOf(site, container)),
      ...fileIs(files, paths.containerdUnit, template('containerd.service')),
    ]
    const was = stateOf(units, unit)
    const stale = config.length > 0 || uploadsOf(site, installed).length > 0
    return [
      ...(files.has(paths.containerdUnit) ? [] : [ownDirectories(directories)]),
      ...config,
      ...fileIs(files, paths.crictl, template('crictl.yaml')),
      ...service(was, stale),
    ]
  },
})

function service(was: ServiceAction['was'], stale: boolean): ServiceAction[] {
  const right = was.active && was.enabled === 'enabled'
  if (right && !stale) return []
  const want = { enabled: 'enabled', active: true } as const
  return [{ kind: 'service', unit, was, want, ...(was.active && stale && { restart: true }) }]
}

function configOf(site: Site, container: boolean): string {
  return template('containerd.toml', { PAUSE: refOf(site, 'pause'), RESTRICT_OOM: String(container) })
}

function uploadsOf(site: Site, installed: Parameters<typeof uploadOf>[1]) {
  return filesFor(site)
    .filter(({ name }) => name === 'containerd')
    .flatMap((artifact) => uploadOf(artifact, installed))
}

function ownDirectories(before: Directories): Action {
  return {
    kind: 'exec',
    summary: 'make the directories of the container runtime',
    command: 'mkdir -p /etc/cni/net.d /var/lib/containerd',
    timeoutSeconds: 20,
    undo: [
      {
        kind: 'exec',
        summary: 'remove what the container runtime kept',
        command: `${template('shims.sh')}${emptied(before, its)}`,
        timeoutSeconds: 120,
        undo: 'nothing',
      },
    ],
  }
}
