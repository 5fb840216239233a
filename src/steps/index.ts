import type { Step } from '../model/step.ts'
import { artifacts } from './artifacts.ts'
import { completion } from './completion.ts'
import { containerd } from './containerd.ts'
import { firewall } from './firewall.ts'
import { flannel } from './flannel.ts'
import { hostname } from './hostname.ts'
import { hostsFile } from './hosts-file.ts'
import { firstImages, images } from './images.ts'
import { kubeadmInit } from './kubeadm-init.ts'
import { kubeadmJoin } from './kubeadm-join.ts'
import { kubeconfig } from './kubeconfig.ts'
import { kubelet } from './kubelet.ts'
import { modules } from './modules.ts'
import { nodeReady } from './node-ready.ts'
import { packages } from './packages.ts'
import { selinux } from './selinux.ts'
import { swap } from './swap.ts'
import { sysctls } from './sysctls.ts'
import { time } from './time.ts'

/** Every step by the name that playbooks use, in the order in which they build on each other. */
export const steps = {
  packages,
  hostname,
  'hosts-file': hostsFile,
  time,
  swap,
  selinux,
  firewall,
  modules,
  sysctls,
  artifacts,
  containerd,
  'first-images': firstImages,
  images,
  kubelet,
  completion,
  'kubeadm-init': kubeadmInit,
  kubeconfig,
  flannel,
  'kubeadm-join': kubeadmJoin,
  'node-ready': nodeReady,
} satisfies Record<string, Step>
export type StepName = keyof typeof steps
