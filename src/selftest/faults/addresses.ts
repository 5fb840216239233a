import type { Fault } from '../fault.ts'

const publicIp = 'flannel.alpha.coreos.com/public-ip'
const annotate = (ip: string) => `kubectl annotate node "$WORKER" --overwrite ${publicIp}=${ip} >/dev/null`
const status = (patch: string) =>
  `kubectl patch node "$WORKER" --subresource=status --type=merge -p ${patch} >/dev/null`
/** Changes a key of a ConfigMap by a word of sed, and keeps it as it was. */
const configMap = (namespace: string, name: string, edit: string) => ({
  make: `kubectl -n ${namespace} get configmap ${name} -o yaml | sed '/resourceVersion:/d; /uid:/d' >"$S/config" &&
sed '${edit}' "$S/config" | kubectl replace -f - >/dev/null`,
  undo: 'kubectl replace -f "$S/config" >/dev/null',
})

const proxyConfig = configMap('kube-system', 'kube-proxy', 's|clusterCIDR: .*|clusterCIDR: 10.200.0.0/16|')

/** What flannel, kubeadm, kube-proxy, the kubelets and the API server say of addresses. */
export const addresses: readonly Fault[] = [
  {
    code: 'FLANNEL_WRONG_IFACE',
    title: 'two nodes announce one address',
    on: 'leader',
    level: 'quick',
    make: annotate('"$OTHER_IP"'),
    undo: annotate('"$WORKER_IP"'),
  },
  {
    code: 'PUBLIC_IP_STALE',
    title: 'a node announces an address that it no longer has',
    on: 'leader',
    level: 'quick',
    make: `nobody "$WORKER_IP"; ${annotate('"$nobody"')}`,
    undo: annotate('"$WORKER_IP"'),
  },
  {
    code: 'KUBELET_WRONG_NODE_IP',
    title: 'two nodes have one InternalIP',
    // a kubelet that is asleep does not write its own address back
    on: ['worker', 'leader'],
    level: 'static',
    // beside its own, which comes first: kube-proxy starts anew when that changes
    make: `if [ "$NODE" = "$WORKER" ]; then freeze kubelet; exit; fi
kubectl get node "$WORKER" -o jsonpath='{.status.addresses}' >"$S/addresses" &&
${status(`'{"status":{"addresses":[{"type":"InternalIP","address":"'"$WORKER_IP"'"},{"type":"InternalIP","address":"'"$OTHER_IP"'"},{"type":"Hostname","address":"'"$WORKER"'"}]}}'`)}`,
    undo: `if [ "$NODE" = "$WORKER" ]; then thaw kubelet; exit; fi
${status(`'{"status":{"addresses":'"$(cat "$S/addresses")"'}}'`)}`,
  },
  {
    code: 'CIDR_MISMATCH_FLANNEL',
    title: "flannel's Network is another one",
    on: 'leader',
    level: 'static',
    ...configMap('kube-flannel', 'kube-flannel-cfg', 's|10[.]244[.]0[.]0/16|10.200.0.0/16|'),
  },
  {
    code: 'CIDR_MISMATCH_PROXY',
    title: "kube-proxy's clusterCIDR is another one",
    level: 'static',
    // a kubelet that is asleep gives no pod the new file, on which kube-proxy would start anew
    on: ['other', 'worker', 'leader'],
    make: `freeze kubelet; [ "$NODE" != "$LEADER" ] || { ${proxyConfig.make}; }`,
    undo: `[ "$NODE" != "$LEADER" ] || ${proxyConfig.undo}; thaw kubelet`,
  },
  {
    code: 'FLANNEL_ENV_STALE',
    title: 'subnet.env holds the subnet of an earlier membership',
    on: 'worker',
    level: 'static',
    make: `cp /run/flannel/subnet.env "$S/env" && sed -i 's|^FLANNEL_SUBNET=.*|FLANNEL_SUBNET=10.244.77.1/24|' /run/flannel/subnet.env`,
    undo: 'cp "$S/env" /run/flannel/subnet.env',
  },
  {
    code: 'FLANNEL_NOT_READY',
    title: 'subnet.env was never written',
    on: 'worker',
    level: 'static',
    make: 'mv /run/flannel/subnet.env "$S/env"',
    undo: 'mv "$S/env" /run/flannel/subnet.env',
  },
  {
    code: 'CNI_CONF_SHADOW',
    title: 'another CNI configuration sorts first',
    on: 'worker',
    level: 'static',
    make: `cat >/etc/cni/net.d/05-other.conflist <<'END'
{"cniVersion":"0.4.0","name":"other","plugins":[{"type":"bridge","bridge":"cni-other","ipam":{"type":"host-local","subnet":"10.88.0.0/16"}}]}
END`,
    undo: 'rm -f /etc/cni/net.d/05-other.conflist',
  },
  {
    code: 'CNI_CONF_MISSING',
    title: 'the CNI configuration is removed',
    on: 'worker',
    level: 'static',
    make: 'mv /etc/cni/net.d/10-flannel.conflist "$S/conflist"',
    undo: 'mv "$S/conflist" /etc/cni/net.d/10-flannel.conflist',
  },
  {
    code: 'CNI_BIN_MISSING',
    title: 'a CNI plugin is removed',
    on: 'worker',
    level: 'static',
    make: 'mv /opt/cni/bin/portmap "$S/portmap"',
    undo: 'mv "$S/portmap" /opt/cni/bin/portmap',
  },
  {
    code: 'IPAM_LEAK',
    title: 'the addresses of 240 pods that are gone are taken',
    on: 'worker',
    level: 'static',
    make: `subnet && for i in $(seq 14 253); do
  [ -e "/var/lib/cni/networks/cbr0/$net$i" ] || printf 'gone\\r\\neth0' >"/var/lib/cni/networks/cbr0/$net$i"
done`,
    undo: 'grep -l ^gone /var/lib/cni/networks/cbr0/10.* | xargs -r rm',
  },
]
