import { createHash, X509Certificate } from 'node:crypto'
import type { Host } from '../model/inventory.ts'
import type { Hands } from '../model/ports.ts'
import type { Secret } from '../model/secret.ts'
import { quote } from '../model/shell.ts'
import type { LeaderFacts } from '../model/step.ts'
import { exits, Failure } from '../model/trouble.ts'

/**
 * What a joining host has to know of the leader: where its API server is, and the pin of its CA (kubeadm's
 * caCertHashes: sha256 of the DER form of the certificate's public key).
 */
export async function leaderFacts(host: Host, hands: Hands): Promise<LeaderFacts> {
  const reply = await hands.look('cat /etc/kubernetes/pki/ca.crt')
  if (reply.code !== 0) {
    throw new Failure(exits.someHosts, {
      code: 'NO_CLUSTER',
      message: 'the control plane has no CA certificate',
      where: host.name,
    })
  }
  const key = new X509Certificate(reply.out).publicKey.export({ type: 'spki', format: 'der' })
  return { endpoint: `${host.nodeIP}:6443`, caCertHash: `sha256:${createHash('sha256').update(key).digest('hex')}` }
}

/**
 * Makes the token known to the control plane for two hours, whoever initialised it and when. The Secret's form is that of
 * `bootstrap.kubernetes.io/token`; it travels over stdin.
 */
export async function admit(host: Host, hands: Hands, token: Secret, now: Date): Promise<void> {
  const [id, secret] = token.reveal().split('.')
  const manifest = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
    type: 'bootstrap.kubernetes.io/token',
    stringData: {
      'token-id': id,
      'token-secret': secret,
      expiration: new Date(now.getTime() + 2 * 3600_000).toISOString().replace(/\.\d+Z$/, 'Z'),
      'usage-bootstrap-authentication': 'true',
      'usage-bootstrap-signing': 'true',
      'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token',
    },
  }
  const apply =
    'kubectl --kubeconfig /etc/kubernetes/admin.conf apply --server-side --force-conflicts --field-manager k8snet -f - >/dev/null'
  const reply = await hands.change(`printf %s ${quote(JSON.stringify(manifest))} | ${apply}`, { timeoutMs: 60_000 })
  if (reply.code !== 0) {
    throw new Failure(exits.someHosts, {
      code: 'ACTION_FAILED',
      message: 'the control plane did not take the join token',
      where: host.name,
      evidence: [{ source: apply, line: reply.err.trim().split('\n').at(-1) ?? '' }],
    })
  }
}
