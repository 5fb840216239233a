import { createHash, X509Certificate } from 'node:crypto'
import type { Fact } from '../model/fact.ts'

/** Where kubeadm's own work on a host is noted: `begun` before it starts, `done` after it. */
export const membershipMark = '/var/lib/k8snet/kubeadm'

export interface Membership {
  /** What the kubelet's kubeconfig says, and admin.conf; null where the file is not there. */
  readonly kubelet: Kubeconfig | null
  readonly admin: Kubeconfig | null
  /**
   * kubeadm was begun by k8snet and did not end: what there is, is half a member. A worker with a kubeconfig is a whole one,
   * since the kubelet gets it last, from the API server.
   */
  readonly half: boolean
}

export interface Kubeconfig {
  /** https://10.0.0.11:6443 */
  readonly server: string
  /** sha256:<hex> of the CA's public key, as in a join's caCertHashes; empty where the file holds no CA. */
  readonly caCertHash: string
}

/** Of which cluster the host is a member. Only the public parts of the kubeconfigs are read. */
export const membership: Fact<Membership> = {
  ask: `cd /etc/kubernetes 2>/dev/null && { grep -sE '^ *(server|certificate-authority-data):' /dev/null kubelet.conf admin.conf || :; }
[ ! -e ${membershipMark} ] || grep -H '' ${membershipMark}`,
  parse: (out) => {
    const lines = out.split('\n')
    const kubelet = kubeconfig(lines, 'kubelet.conf:')
    const admin = kubeconfig(lines, 'admin.conf:')
    const begun = lines.includes(`${membershipMark}:begun`)
    return { kubelet, admin, half: begun && (admin !== null || kubelet === null) }
  },
}

function kubeconfig(lines: readonly string[], file: string): Kubeconfig | null {
  const of = (key: string) => lines.find((line) => line.startsWith(file) && line.includes(`${key}: `))
  const value = (key: string) => of(key)?.split(`${key}: `)[1]?.trim() ?? ''
  return value('server') === ''
    ? null
    : { server: value('server'), caCertHash: caCertHash(value('certificate-authority-data')) }
}

/** All members of a cluster have the same certificate, and reading one takes longer than all the rest of the answer. */
let last = { base64: '', hash: '' }

function caCertHash(base64: string): string {
  if (base64 !== last.base64) last = { base64, hash: hashOf(base64) }
  return last.hash
}

function hashOf(base64: string): string {
  const key = new X509Certificate(Buffer.from(base64, 'base64')).publicKey.export({ type: 'spki', format: 'der' })
  return `sha256:${createHash('sha256').update(key).digest('hex')}`
}
