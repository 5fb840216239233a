import type { Fact } from '../model/fact.ts'

/** Did a run that broke off leave kubeadm's configuration? */
export const leftConfig: Fact<boolean> = {
  ask: '[ ! -e /run/k8snet/kubeadm.yaml ] || echo yes',
  parse: (out) => out.trim() === 'yes',
}
