# Runs on the lab's leader as root: nodes m-1 and up to m-$1 in the API server, as their kubelets would have made them. The
# controllers give each its podCIDR and the pods of the DaemonSets; then the controllers stop, since nobody renews the nodes'
# leases, and nodes and pods are said to be Ready. `nodes.sh 0` takes the nodes away and lets the controllers run again.
set -eu
export PATH="$PATH:/usr/local/bin" KUBECONFIG=/etc/kubernetes/admin.conf
manifest=/etc/kubernetes/manifests/kube-controller-manager.yaml
aside=/run/kube-controller-manager.yaml
if [ -e $aside ]; then
  mv $aside $manifest
fi
if [ "$1" = 0 ]; then
  kubectl get nodes -o name | grep '^node/m-' | xargs -r kubectl delete --wait=false
  exit
fi
version=$(kubectl get nodes -o 'jsonpath={.items[0].status.nodeInfo.kubeletVersion}')
room="{cpu: '4', memory: 8Gi, pods: '110'}"
each() {
  i=1
  while [ $i -le "$1" ]; do
    printf -- '---\n'
    "$2" m-$i
    i=$((i + 1))
  done
}
node() {
  echo "{apiVersion: v1, kind: Node, metadata: {name: $1, labels: {node-role.kubernetes.io/worker: '', kubernetes.io/os: linux}}}"
}
ready() {
  echo "{apiVersion: v1, kind: Node, metadata: {name: $1}, status: {capacity: $room, allocatable: $room, nodeInfo: {kubeletVersion: $version, architecture: amd64, bootID: '', containerRuntimeVersion: '', kernelVersion: '', kubeProxyVersion: '', machineID: '', operatingSystem: linux, osImage: '', systemUUID: ''}, conditions: [{type: Ready, status: 'True', reason: Bench, message: '', lastHeartbeatTime: null, lastTransitionTime: null}]}}"
}
pods() {
  kubectl get pods -A -l pod-template-generation \
    -o 'go-template={{range .items}}{{.metadata.namespace}} {{.metadata.name}} {{or .spec.nodeName "-"}} {{(index .metadata.ownerReferences 0).name}}{{"\n"}}{{end}}' |
    grep ' m-[0-9]* '
}
each "$1" node | kubectl apply --server-side -f - >/dev/null
each "$1" ready | kubectl apply --server-side --force-conflicts --subresource=status -f - >/dev/null
until [ "$(pods | wc -l)" -ge $(($1 * 2)) ]; do sleep 1; done
until [ "$(kubectl get nodes -o 'jsonpath={range .items[*]}{.spec.podCIDR}{"\n"}{end}' | grep -c .)" -gt "$1" ]; do sleep 1; done
mv $manifest $aside
while pgrep -f '^kube-controller-manager' >/dev/null; do sleep 0.5; done
each "$1" ready | kubectl apply --server-side --force-conflicts --subresource=status -f - >/dev/null
pods | while read -r namespace name _ _; do
  echo '---'
  echo "{apiVersion: v1, kind: Pod, metadata: {namespace: $namespace, name: $name}, status: {phase: Running, conditions: [{type: Ready, status: 'True', lastProbeTime: null, lastTransitionTime: null}]}}"
done | kubectl apply --server-side --force-conflicts --subresource=status -f - >/dev/null
