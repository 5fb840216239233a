#!/usr/bin/env bash
# The same work as `k8snet up` on three bare hosts, as one writes it by hand: everything to everyone, in parallel, then init,
# join, flannel, and wait until all nodes are Ready. $1: an ssh config with the hosts cp1 w1 w2; $2: a directory with
# files.tar (the bundle's files), images.tar (its images), flannel.yaml.
set -euo pipefail
config=$1 dir=$2 version=$3
hosts=(cp1 w1 w2)
declare -A ip=([cp1]=192.168.56.11 [w1]=192.168.56.12 [w2]=192.168.56.13)
on() { local host=$1; shift; ssh -F "$config" "$host" "$@"; }

prepare() {
  on "$1" 'sudo sh -c "mkdir -p /opt/cni/bin /opt/in && tar -xf - -C /opt/in"' <"$dir/files.tar"
  on "$1" 'sudo sh -s' <<'HOST'
set -e
cd /opt/in
for f in bridge host-local loopback portmap firewall flannel; do mv $f /opt/cni/bin/; done
chmod 755 * /opt/cni/bin/*; mv * /usr/local/bin/
for n in "192.168.56.11 cp1" "192.168.56.12 w1" "192.168.56.13 w2"; do echo "$n" >>/etc/hosts; done
printf 'net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\n' >/etc/sysctl.d/90-kubernetes.conf
sysctl -q -p /etc/sysctl.d/90-kubernetes.conf
mkdir -p /etc/containerd
cat >/etc/containerd/config.toml <<'TOML'
version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'registry.k8s.io/pause:3.10.2'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['/opt/cni/bin']
  conf_dir = '/etc/cni/net.d'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    SystemdCgroup = true
TOML
cat >/etc/systemd/system/containerd.service <<'UNIT'
[Unit]
After=network.target
[Service]
Type=notify
ExecStart=/usr/local/bin/containerd
Delegate=yes
KillMode=process
LimitNOFILE=infinity
[Install]
WantedBy=multi-user.target
UNIT
cat >/etc/systemd/system/kubelet.service <<'UNIT'
[Unit]
After=containerd.service
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/local/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=10
[Install]
WantedBy=multi-user.target
UNIT
echo 'nameserver 192.0.2.53' >/etc/kubelet-resolv.conf
systemctl daemon-reload
systemctl enable -q --now containerd
systemctl enable -q kubelet
HOST
  on "$1" 'sudo /usr/local/bin/ctr -n k8s.io images import -' <"$dir/images.tar" >/dev/null
}

for host in "${hosts[@]}"; do prepare "$host" & done
wait

on cp1 'sudo PATH=$PATH:/usr/local/bin sh -s' <<HOST
set -e
cat >/root/init.yaml <<YAML
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: ${ip[cp1]}}
nodeRegistration:
  name: cp1
  imagePullPolicy: Never
  ignorePreflightErrors: [all]
  kubeletExtraArgs: [{name: node-ip, value: ${ip[cp1]}}]
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v$version
networking: {podSubnet: 10.244.0.0/16}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
failSwapOn: false
resolvConf: /etc/kubelet-resolv.conf
featureGates: {KubeletInUserNamespace: true}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
conntrack: {maxPerCore: 0}
YAML
kubeadm init --config /root/init.yaml >/dev/null 2>&1
HOST
on cp1 'sudo /usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f -' <"$dir/flannel.yaml" >/dev/null
join=$(on cp1 'sudo PATH=$PATH:/usr/local/bin kubeadm token create --print-join-command 2>/dev/null')
read -r _ _ endpoint _ token _ hash <<<"$join"
for host in w1 w2; do
  on "$host" 'sudo PATH=$PATH:/usr/local/bin sh -s' <<HOST &
cat >/root/join.yaml <<YAML
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery: {bootstrapToken: {apiServerEndpoint: "$endpoint", token: "$token", caCertHashes: ["$hash"]}}
nodeRegistration:
  name: $host
  imagePullPolicy: Never
  ignorePreflightErrors: [all]
  kubeletExtraArgs: [{name: node-ip, value: ${ip[$host]}}]
YAML
kubeadm join --config /root/join.yaml >/dev/null 2>&1
HOST
done
wait
on cp1 'sudo sh -s' <<'HOST'
until [ "$(/usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes --no-headers 2>/dev/null | grep -cw Ready)" = 3 ]; do sleep 0.5; done
HOST
