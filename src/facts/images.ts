import type { ImageArtifact } from '../model/bundle.ts'
import type { Fact } from '../model/fact.ts'
import { sh } from '../model/shell.ts'

/**
 * Which of these images containerd has, by full reference, with the bundle's own manifest. containerd does the comparing
 * (a filter per image), so nothing but names comes back. Where containerd does not run there are none.
 */
export function images(wanted: readonly ImageArtifact[]): Fact<ReadonlySet<string>> {
  const filters = wanted.map(({ name, sha256 }) => `name=="${name}",target.digest==sha256:${sha256}`)
  return {
    ask: sh`[ -S /run/containerd/containerd.sock ] && [ -x /usr/local/bin/ctr ] || exit 0
/usr/local/bin/ctr --connect-timeout 3s -n k8s.io images ls -q ${filters} && exit 0
! systemctl -q is-active containerd`,
    parse: parseNames,
  }
}

const parseNames = (out: string): ReadonlySet<string> => new Set(out.split('\n').filter((line) => line !== ''))
