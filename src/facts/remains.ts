import type { Fact } from '../model/fact.ts'

/** What an older cluster left on a host that is no member of one: paths, and links as `link NAME`. */
export const remains: Fact<readonly string[]> = {
  ask: `[ ! -e /etc/kubernetes/kubelet.conf ] || exit 0
for f in /etc/kubernetes/*.conf /etc/kubernetes/manifests/*.yaml /etc/kubernetes/pki/*.crt /var/lib/etcd/member \
  /var/lib/kubelet/config.yaml /var/lib/kubelet/pki /etc/cni/net.d/0* /etc/cni/net.d/10-*; do
  [ ! -e "$f" ] || echo "$f"
done
for link in cni0 flannel.1 flannel0 cilium_host vxlan.calico weave kube-ipvs0; do
  [ ! -e "/sys/class/net/$link" ] || echo "link $link"
done`,
  parse: (out) => out.split('\n').filter((line) => line !== ''),
}
