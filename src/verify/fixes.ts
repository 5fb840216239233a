import type { Code } from '../model/codes.ts'

/** What to do about a failed check, in one line per code. */
export const fixes: { readonly [C in Code]?: string } = {
  CONTAINERS_APART:
    "The container runtime gave the pod's containers networks of their own, or lo is down in the pod: restart containerd and recreate the pod.",
  POD_UNREACHABLE:
    "Between these nodes: compare ip route for the other's podCIDR, open the UDP port of the pod network (8472 for flannel's vxlan) in both firewalls, and set net.ipv4.ip_forward=1. Where flannel is the pod network, restart it on both (kubectl -n kube-flannel delete pod): it writes its routes, neighbours and FDB entries again.",
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
    "The node needs a route to the pod's podCIDR (ip route); where flannel makes it, restart flannel there. Look for firewall rules on the bridge of the pods and the tunnel (cni0 and flannel.1).",
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
    'See journalctl -u kubelet on the node and the pods of kube-proxy and of the pod network on it; if it never joined, run k8snet up.',
  PROBE_FAILED:
    'See kubectl get events -A for the node: the pause image has to be on it already, and the node needs python3 or perl, and nsenter.',
  HOST_UNREACHABLE: 'Bring the host or its SSH service back; nothing can be said of its network until then.',
  CONNECTION_LOST: 'Bring the host or its SSH service back; nothing can be said of its network until then.',
  TIMEOUT: 'The host takes too long to answer; look at its load and its memory.',
  HAIRPIN_FAILED:
    'See that the port of the pod on cni0 has hairpin on (bridge -d link) and that kube-proxy marks packets from an endpoint to itself (KUBE-MARK-MASQ in its KUBE-SEP chain).',
  NODE_TO_SERVICE_FAILED:
    'See that the node has a route for the addresses of Services (ip route get CLUSTER-IP) and that kube-proxy runs on it.',
  SERVICE_SPREAD_UNEVEN:
    "Compare the rules of the Service on the client's node (iptables-save -t nat | grep PROBABILITY, or nft list table ip kube-proxy) with its EndpointSlices; restart kube-proxy there.",
  AFFINITY_BROKEN:
    "See that the node's rules of the Service remember the client (iptables-save -t nat | grep recent) and restart kube-proxy there.",
  TRAFFIC_POLICY_BROKEN:
    'With externalTrafficPolicy Local look for another MASQUERADE on the node that hides the client; else restart kube-proxy there.',
  HOSTPORT_UNREACHABLE:
    'See that the portmap plugin is in the CNI configuration and in /opt/cni/bin, and that the firewall of the node lets the port in.',
  POD_TO_NODE_FAILED:
    'Let the firewall of that node accept packets from podSubnet: -i cni0 for its own pods, the address of the other node for the rest.',
  LARGE_PACKETS_LOST:
    "Compare the MTUs on the way (ip link: pod, cni0, flannel.1, the node's interface) and what the network between the nodes lets through; set Backend.MTU in flannel's net-conf.json below it.",
  OUTER_FRAGMENTED:
    "The MTU of flannel.1 plus 50 has to fit the MTU of the node's interface: set Backend.MTU in flannel's net-conf.json, restart flannel, and recreate the pods.",
  UDP_ENDPOINT_KEPT:
    'Restart kube-proxy on the node of the client, or remove the entry: conntrack -D -p udp --orig-dst CLUSTER-IP.',
  DNS_SLOW:
    'Answers after five seconds are first packets that were lost: see conntrack -S for insert_failed, and the way to the CoreDNS pod that is named.',
  KUBELET_UNREACHABLE:
    "Open TCP 10250 on that node to the control plane, and see that the node's InternalIP is its own (kubectl get nodes -o wide).",
  EGRESS_FAILED:
    'See that what leaves the pod network is masqueraded (by flannel: FLANNEL-POSTRTG in iptables -t nat -S) and that the node itself reaches the address.',
  INGRESS_FAILED:
    'See the pods and the Service of the ingress controller, and that the Ingress names its class and a Service with endpoints.',
  UNEXPLAINED:
    'Follow the packet: k8snet trace INVENTORY FROM TO --live shows where it ends; collect gathers all that a helper needs.',
}
