import type { CommonOptions } from './options.ts'

/** The forms in which verify prints its report. */
export const forms = ['text', 'json', 'junit', 'html'] as const
export type Form = (typeof forms)[number]

/** What can be asked of `k8snet verify`. */
export interface VerifyOptions extends Omit<CommonOptions, 'output'> {
  output: Form
  level: 'quick' | 'full'
  egress?: string
  save?: string
  from?: string
  diff?: string[]
  fix?: boolean
  yes?: boolean
  kubeconfig?: string
  context?: string
  ssh?: string
  probeImage?: string
}
