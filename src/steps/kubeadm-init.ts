import { cgroupVersion } from '../facts/cgroup.ts'
import { container } from '../facts/container.ts'
import { directories } from '../facts/directories.ts'
import { leftConfig } from '../facts/left-config.ts'
import { membership } from '../facts/membership.ts'
import { tables } from '../facts/tables.ts'
import type { Action } from '../model/action.ts'
import { kubectl } from '../model/kubectl.ts'
import { sh } from '../model/shell.ts'
import { step } from '../model/step.ts'
import { kubeadm } from './kubeadm.ts'
import { initConfig } from './kubeadm-config.ts'

/** A host that tries to join before the controllers have signed the token's discovery data tries again only after 5 s. */
const admitsHosts: Action = {
  kind: 'wait',
  summary: 'the control plane to admit hosts',
  ask: `case $(${kubectl(sh`-n kube-public get configmap cluster-info -o ${'jsonpath={.data}'}`)}) in *jws-kubeconfig-*) ;; *) exit 1 ;; esac`,
  timeoutSeconds: 120,
  evidence: kubectl('-n kube-system get pods -o wide'),
}

/** The control plane of the cluster runs here. */
export const kubeadmInit = step({
  title: 'The first control plane is initialised',
  asks: () => ({ membership, container, cgroupVersion, directories, tables, leftConfig }),
  plan: ({ membership, container, cgroupVersion, ...before }, site) =>
    membership.admin !== null && membership.kubelet !== null && !membership.half
      ? []
      : [
          ...kubeadm('init', initConfig(site, { container, cgroupVersion }), { ...before, half: membership.half }),
          admitsHosts,
        ],
})
