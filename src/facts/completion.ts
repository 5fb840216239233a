import type { Fact } from '../model/fact.ts'

/** Directories in which bash looks for completions, the better one first. */
const places = ['/usr/share/bash-completion/completions', '/etc/bash_completion.d'] as const

export interface Completion {
  /** Where they belong on this host; null where nothing reads them. */
  readonly directory: string | null
  /** The commands that have one there already. */
  readonly present: ReadonlySet<string>
}

/** Shell completions of the commands that k8snet installs. */
export const completion: Fact<Completion> = {
  ask: `for d in ${places.join(' ')}; do
  [ -d "$d" ] || continue
  echo "$d"
  for c in kubeadm kubectl crictl; do [ ! -s "$d/$c" ] || echo "$c"; done
  break
done`,
  parse: (out) => {
    const [directory, ...present] = out.split('\n').filter((line) => line !== '')
    return { directory: directory ?? null, present: new Set(present) }
  },
}
