import { type Sh, sh } from '../model/shell.ts'

/** As templates/selftest.sh calls it. */
const namespace = 'selftest'
const labels = { app: 'waits' }
/** Nobody listens: what the rules do is seen in the dump. */
const port = 8080

const objects = [
  {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'waits', namespace },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 0,
          tolerations: [{ operator: 'Exists' }],
          containers: [
            {
              name: 'waits',
              image: '@IMAGE@',
              imagePullPolicy: 'Never',
              ports: [{ containerPort: port, hostPort: 18999 }],
            },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'edge', namespace },
    spec: { type: 'NodePort', externalTrafficPolicy: 'Local', selector: labels, ports: [{ port }] },
  },
]

/**
 * Shell for the leader: one pod on each node that only waits, with a hostPort and behind a Service whose externalTrafficPolicy is
 * Local, out of an image that every node has. Waits until all of them run.
 */
export const makePods: Sh = [
  'image=$(pause_image) && [ -n "$image" ] || exit 1',
  sh`printf '%s\\n' ${objects.map((object) => JSON.stringify(object)).join('\n')} | sed "s|@IMAGE@|$image|" | kubectl apply -f - >/dev/null &&`,
  sh`kubectl -n ${namespace} rollout status daemonset waits --timeout=60s >/dev/null`,
].join('\n')

/** Shell for the leader: removes them again, and waits until they are gone. */
export const removePods: Sh = sh`kubectl delete namespace ${namespace} --ignore-not-found --timeout=60s >/dev/null`
