import type { Directories } from '../facts/directories.ts'
import { membershipMark } from '../facts/membership.ts'
import type { Action } from '../model/action.ts'
import type { Secret } from '../model/secret.ts'
import { type Sh, sh } from '../model/shell.ts'
import { emptied } from './owned.ts'
import { template } from './template.ts'

/** Where kubeadm reads its configuration, which holds a token: root-only, gone when kubeadm has ended. */
export const configPath = '/run/k8snet/kubeadm.yaml'

/** What kubeadm, the kubelet and the pods fill by themselves. */
const theirs = [
  '/etc/kubernetes',
  '/run/flannel',
  '/usr/libexec/kubernetes',
  '/var/lib/cni',
  '/var/lib/etcd',
  '/var/lib/kubelet',
  '/var/log/containers',
  '/var/log/pods',
] as const

export interface Before {
  readonly directories: Directories
  readonly tables: readonly string[]
  /** kubeadm was begun here and did not end: its remains are taken away first. */
  readonly half: boolean
  /** A run that broke off left its configuration. */
  readonly leftConfig: boolean
}

/** `kubeadm init` or `kubeadm join` with its configuration, and how all of it is taken back. */
export function kubeadm(verb: 'init' | 'join', config: Secret, before: Before): Action[] {
  const reset = resetScript(before)
  return [
    ...(before.leftConfig ? [cleanUp] : []),
    { kind: 'file', path: configPath, was: null, want: { content: config, mode: '0600' }, transient: true },
    {
      kind: 'exec',
      summary: `kubeadm ${verb}`,
      command: command(verb, before.half ? reset : null),
      unless:
        verb === 'join'
          ? '[ -e /etc/kubernetes/kubelet.conf ]'
          : sh`[ -e /etc/kubernetes/admin.conf ] && ! grep -qs begun ${membershipMark}`,
      timeoutSeconds: 300,
      undo: [
        {
          kind: 'exec',
          summary: 'kubeadm reset, and what it leaves',
          command: reset,
          timeoutSeconds: 300,
          undo: 'nothing',
        },
      ],
    },
  ]
}

function command(verb: 'init' | 'join', reset: Sh | null): Sh {
  return [
    ...(reset === null ? [] : [`(\n${reset})`]),
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    `trap 'rm -f ${configPath}' EXIT`,
    `trap 'exit 143' TERM`,
    `echo begun >${membershipMark}`,
    `kubeadm ${verb} --config ${configPath}${verb === 'init' ? ' --skip-token-print' : ''}`,
    `echo done >${membershipMark}`,
  ].join('\n')
}

function resetScript({ directories, tables }: Before): Sh {
  return `${template('reset.sh', { TABLES: tables.join(' ') })}${emptied(directories, theirs)}`
}

const cleanUp: Action = {
  kind: 'exec',
  summary: 'remove the configuration that a broken run left',
  command: `rm -f ${configPath}`,
  timeoutSeconds: 20,
  undo: 'nothing',
}
