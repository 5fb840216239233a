import type { Fault } from '../fault.ts'

/** CoreDNS with another Corefile: both pods are made anew, and again when it is undone. */
const corefile = (edit: string) => ({
  on: 'leader' as const,
  make: `kubectl -n kube-system get configmap coredns -o yaml | sed '/resourceVersion:/d; /uid:/d' >"$S/coredns" &&
sed '${edit}' "$S/coredns" | kubectl replace -f - >/dev/null && ${restart}`,
  undo: `kubectl replace -f "$S/coredns" >/dev/null && ${restart}`,
})
const restart = 'kubectl -n kube-system delete pod -l k8s-app=kube-dns --grace-period=1 --wait=false >/dev/null'
const dnsPods = `kubectl -n kube-system get pods -l k8s-app=kube-dns`

/** The kubelets and CoreDNS. */
export const cluster: readonly Fault[] = [
  {
    code: 'NODE_NOT_READY',
    title: 'a kubelet is stopped',
    on: 'other',
    level: 'static',
    make: 'systemctl stop kubelet',
    undo: 'systemctl start kubelet',
    // what the controller manager does after 50 s
    settle: `kubectl patch node "$OTHER" --subresource=status --type=strategic \\
  -p '{"status":{"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown","message":"Kubelet stopped posting node status."}]}}' >/dev/null`,
  },
  {
    code: 'KUBELET_DNS_MISMATCH',
    title: 'a kubelet gives pods an address where no DNS is',
    on: 'worker',
    level: 'static',
    make: `cp /var/lib/kubelet/config.yaml "$S/kubelet" && sed -i '/^clusterDNS:/,/^[^-]/ s/^- .*/- 10.96.0.11/' /var/lib/kubelet/config.yaml`,
    undo: 'cp "$S/kubelet" /var/lib/kubelet/config.yaml',
  },
  {
    code: 'DNS_NO_ENDPOINTS',
    title: 'CoreDNS is scaled to nothing',
    on: 'leader',
    level: 'quick',
    make: 'kubectl -n kube-system scale deployment coredns --replicas=0 >/dev/null',
    undo: 'kubectl -n kube-system scale deployment coredns --replicas=2 >/dev/null',
    settle: `! ${dnsPods} -o name | grep -q .`,
  },
  {
    code: 'COREDNS_NOT_READY',
    title: 'CoreDNS runs and never becomes ready',
    level: 'quick',
    ...corefile('s/^\\( *\\)ready$/\\1ready :8999/'),
    settle: `[ "$(${dnsPods} -o jsonpath='{.items[*].status.phase}')" = "Running Running" ] && [ "$(${dnsPods} -o jsonpath='{.items[*].status.containerStatuses[*].ready}')" = "false false" ]`,
  },
  {
    code: 'COREDNS_LOOP',
    title: 'CoreDNS asks itself',
    level: 'quick',
    ...corefile('s|forward . /etc/resolv.conf|forward . 127.0.0.1|'),
    settle: `${dnsPods} -o jsonpath='{.items[*].status.containerStatuses[*].state.waiting.reason}' | grep -q CrashLoopBackOff`,
  },
]
