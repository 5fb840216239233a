import { completion as completions } from '../facts/completion.ts'
import type { Action } from '../model/action.ts'
import { type Sh, sh } from '../model/shell.ts'
import { step } from '../model/step.ts'

/** How each command prints its own completion. */
const printers: Record<string, Sh> = {
  kubeadm: '/usr/local/bin/kubeadm completion bash',
  kubectl: '/usr/local/bin/kubectl completion bash',
  crictl: '/usr/local/bin/crictl completion bash',
}

/** bash completes the commands that were installed, where it has completion at all. */
export const completion = step({
  title: 'bash completes kubeadm, kubectl and crictl',
  asks: () => ({ completions }),
  plan: ({ completions: { directory, present } }, { host, bundle }) => {
    if (directory === null) return []
    const here = bundle.artifacts.filter(({ kind, roles }) => kind === 'binary' && roles.includes(host.role))
    return Object.entries(printers)
      .filter(([name]) => here.some((artifact) => artifact.name === name) && !present.has(name))
      .map(([name, print]) => write(`${directory}/${name}`, name, print))
  },
})

function write(path: string, name: string, print: Sh): Action {
  return {
    kind: 'exec',
    summary: `write the completion of ${name}`,
    command: `${print} >${sh`${path}.k8snet`} && ${sh`mv ${`${path}.k8snet`} ${path}`}`,
    unless: sh`[ -s ${path} ]`,
    timeoutSeconds: 30,
    undo: [
      {
        kind: 'exec',
        summary: `remove the completion of ${name}`,
        command: sh`rm -f ${path}`,
        timeoutSeconds: 20,
        undo: 'nothing',
      },
    ],
  }
}
