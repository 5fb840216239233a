import { type UserConfig, userConfig } from '../facts/kubeconfig.ts'
import type { Action } from '../model/action.ts'
import { sh } from '../model/shell.ts'
import { step } from '../model/step.ts'

/** root and the user that SSH logs in as can use kubectl. A kubeconfig that is somebody else's is left alone. */
export const kubeconfig = step({
  title: 'root and the SSH user have a kubeconfig on the control plane',
  asks: ({ host }) => ({ root: userConfig('root'), user: userConfig(host.user) }),
  plan: ({ root, user }, { host }) => [
    ...copyFor('root', root),
    ...(host.user === 'root' ? [] : copyFor(host.user, user)),
  ],
})

function copyFor(user: string, { home, state, directory }: UserConfig): Action[] {
  if (home === '' || state !== 'absent') return []
  const dir = `${home}/.kube`
  return [
    {
      kind: 'exec',
      summary: `give ${user} a kubeconfig`,
      command: sh`group=$(id -gn ${user})
[ -d ${dir} ] || install -d -m 0700 -o ${user} -g "$group" ${dir}
install -m 0600 -o ${user} -g "$group" /etc/kubernetes/admin.conf ${`${dir}/config`}`,
      unless: sh`[ -e ${`${dir}/config`} ]`,
      timeoutSeconds: 20,
      undo: [
        {
          kind: 'exec',
          summary: `remove the kubeconfig of ${user}`,
          command: directory
            ? sh`rm -f ${`${dir}/config`}`
            : sh`rm -rf ${`${dir}/config`} ${`${dir}/cache`}
[ ! -d ${dir} ] || rmdir ${dir}`,
          timeoutSeconds: 20,
          undo: 'nothing',
        },
      ],
    },
  ]
}
