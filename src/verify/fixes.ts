import type { Code } from '../model/codes.ts'

/** What to do about a failed check, in one line per code. */
export const fixes: { readonly [C in Code]?: string } = {
  CONTAINERS_APART:
    "The container runtime gave the pod's containers networks of their own, or lo is down in the pod: restart containerd and recreate the pod.",
  POD_UNREACHABLE:
    'Between these nodes: open the UDP port of the pod network (8472 for vxlan) in both firewalls, set net.ipv4.ip_forward=1, and restart flannel on both (kubectl -n kube-flannel delete pod) to rewrite its routes, neighbours and FDB entries.',
  POD_SNAT_VIOLATION:
    'Find the rule on the client\'s node that translates pod traffic (iptables -t nat -S | grep -E "MASQUERADE|SNAT"; nft list ruleset) and let it leave out the pod network as destination.',
  SERVICE_UNREACHABLE:
    "See that kube-proxy runs on the client's node (kubectl -n kube-system get pods -o wide) and that net.bridge.bridge-nf-call-iptables is 1 there.",
  SERVICE_ENDPOINT_MISSED:
    'If pod-to-pod to the missed node fails too, mend that first; else restart kube-proxy on the node that was asked, for its rules do not match the endpoints.',
  DNS_FAILED:
    'If pod-to-pod to the node of that CoreDNS pod fails too, mend that first; else read kubectl -n kube-system logs -l k8s-app=kube-dns.',
  DNS_NO_ENDPOINTS:
    'Bring CoreDNS back: kubectl -n kube-system scale deployment coredns --replicas=2, or see why its pods are not ready with kubectl -n kube-system describe pods -l k8s-app=kube-dns.',
  NODEPORT_UNREACHABLE:
    'Open 30000-32767 TCP and UDP in the firewall of that node, and see that kube-proxy runs on it.',
  NODE_TO_POD_FAILED:
    "The node needs a route to the pod's podCIDR (ip route): restart flannel on it, and look for firewall rules on cni0 and flannel.1.",
  APISERVER_UNREACHABLE:
    "Let the node of the API server accept TCP 6443 from podSubnet, and see that kube-proxy runs on the pod's node.",
  POD_IP_DUPLICATE:
    'Look for a second CNI configuration in /etc/cni/net.d that sorts before 10-flannel.conflist and for two nodes with one podCIDR; then recreate the pods.',
  POD_IP_OUTSIDE_PODCIDR:
    'Remove every other CNI configuration from /etc/cni/net.d of that node and a cni0 of an older cluster (ip link delete cni0), then recreate its pods.',
  PODCIDR_DUPLICATE:
    'Remove one of the two nodes (kubectl delete node), reset it and join it again, so that it gets a podCIDR of its own.',
  PODCIDR_OUTSIDE:
    "Use one network in kubeadm's podSubnet, flannel's net-conf.json and the inventory; nodes joined before that have to be joined again.",
  PODCIDR_UNASSIGNED:
    'Run kube-controller-manager with --allocate-node-cidrs=true and --cluster-cidr, large enough for all nodes.',
  IP_FORWARD_OFF:
    'sysctl -w net.ipv4.ip_forward=1 on that node, and find what sets it to 0 (grep -r ip_forward /etc/sysctl.conf /etc/sysctl.d /run/sysctl.d); k8snet up writes /etc/sysctl.d/90-k8snet.conf.',
  NODE_NOT_READY:
    'See journalctl -u kubelet on the node and the pods of flannel and kube-proxy on it; if it never joined, run k8snet up.',
  PROBE_FAILED:
    'See kubectl get events -A for the node: the pause image has to be on it already, and the node needs python3 or perl, and nsenter.',
  HOST_UNREACHABLE: 'Bring the host or its SSH service back; nothing can be said of its network until then.',
  CONNECTION_LOST: 'Bring the host or its SSH service back; nothing can be said of its network until then.',
  TIMEOUT: 'The host takes too long to answer; look at its load and its memory.',
}
