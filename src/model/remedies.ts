import { type Code, codes } from './codes.ts'
import { type Exit, exits } from './trouble.ts'

/** What to do about a code in general; an error's own `fix` knows the case. Those of the checks of the network are verify's. */
export const remedies: { readonly [C in Code]?: string } = {
  // input
  FILE_NOT_FOUND: 'Correct the path. Paths in an inventory are relative to it.',
  FILE_UNWRITABLE: 'Name a file in a directory that you may write to.',
  FILE_EMPTY: 'Write an inventory; README shows one, and k8snet schema has every key.',
  YAML_SYNTAX: 'Mend the file at the line and column that are named.',
  KEY_UNKNOWN: 'Correct the spelling; k8snet schema has every key.',
  VALUE_MISSING: 'Write the key that is named.',
  VALUE_TYPE: 'Write a value of the form that is named.',
  HOSTNAME_INVALID: 'Use lower-case letters, digits and inner hyphens, 63 characters at most.',
  ADDRESS_DUPLICATE: 'Correct the address of one of the two hosts, or take one of them out.',
  NAME_DUPLICATE: 'Name one of them otherwise.',
  CONTROL_PLANE_MISSING: 'Give one host role: control-plane.',
  CONTROL_PLANE_COUNT: 'Leave one host with role: control-plane.',
  CIDR_INVALID: 'Write a network with its prefix and no host bits: 10.244.0.0/16.',
  CIDR_OVERLAP: 'Choose networks that are apart for podSubnet, serviceSubnet and the hosts.',
  CIDR_TOO_SMALL: 'Choose a larger podSubnet: each host gets a /24 of it.',
  VERSION_UNSUPPORTED: 'Write a version that the message names.',
  HOST_UNKNOWN: 'Use names of the inventory.',
  STEP_UNKNOWN: 'Use names that k8snet steps lists.',
  SSH_CONFIG: 'Change that setting, or say in the inventory what it is to be for the host.',
  USAGE: 'See k8snet COMMAND --help.',
  BUNDLE_MISSING: 'Make one: k8snet bundle create.',
  BUNDLE_VERSION: 'Make a bundle of that version, or write the version of the bundle into the inventory.',
  BUNDLE_ARCH: 'Make a bundle for that architecture: k8snet bundle create --arch.',
  BUNDLE_DAMAGED: 'Run k8snet bundle create again: it fetches only what is not right.',
  BUNDLE_INCOMPLETE: 'Run k8snet bundle create again: it adds what is missing.',
  BUNDLE_TOOLS: 'Install the tool, or make room; both are named.',
  BUNDLE_FETCH: 'Check the network, proxies and mirrors here, and run it again: it goes on from what is there.',
  // the API server, reached by a kubeconfig
  KUBECONFIG_INVALID: 'Mend what is named, or make the file anew: kubectl config view --raw --minify --flatten.',
  API_UNREACHABLE:
    'Check the server of the kubeconfig and the way there; with SSH to the nodes an inventory serves: k8snet verify INVENTORY.',
  API_UNTRUSTED: "Take the kubeconfig from the control plane anew, so that it has the cluster's own CA.",
  API_UNAUTHORIZED: 'Take the kubeconfig from the control plane anew, or renew its token.',
  API_FORBIDDEN: 'Use a kubeconfig of an administrator, or let its user do what is named.',
  API_FAILED: 'Read the evidence: it is what the API server answered.',
  // reaching a host
  HOST_UNREACHABLE: 'Check address and port, that the host is up, and that no firewall drops SSH.',
  HOSTKEY_UNKNOWN: 'Check the fingerprint on the host, then pin it: hostKey in the inventory, or known_hosts.',
  HOSTKEY_CHANGED:
    'If the host was made anew, check its fingerprint there and replace the old one; else somebody is between.',
  AUTH_FAILED: "Add the public key to the user's authorized_keys on the host, or correct user and key.",
  SUDO_FAILED: 'Let the user run sudo on the host, or give the password, or log in as root.',
  CONNECTION_LOST: 'Run the command again: it goes on from what is there.',
  TIMEOUT: 'Look at the load of the host and at the way to it, then run the command again.',
  LOOK_FAILED: 'Read the evidence: it is what the host answered instead.',
  // preflight
  DUPLICATE_MACHINE_ID: 'On copied hosts: rm /etc/machine-id && systemd-machine-id-setup, then reboot.',
  DUPLICATE_PRODUCT_UUID: 'Give every virtual machine a UUID of its own; the hypervisor sets it.',
  DUPLICATE_MAC: 'Give every network card an address of its own; the hypervisor sets it.',
  CIDR_OVERLAP_HOST: 'Choose another podSubnet or serviceSubnet.',
  NODE_IP_MISSING: 'Set nodeIP to one of the addresses of the host that the other hosts reach.',
  TOO_FEW_CPUS: 'Give the host two processors, or make another one the control plane.',
  TOO_LITTLE_MEMORY: 'Give the host more memory, or make another one the control plane.',
  TOO_LITTLE_DISK: 'Make room where /var/lib/containerd lies.',
  PORT_TAKEN: 'Stop what listens there, or give it another port.',
  LEFTOVERS: 'Remove them (kubeadm reset, /etc/cni/net.d, the links that are named), or reinstall the host.',
  OTHER_CLUSTER: 'Take the host out of that cluster (kubeadm reset), or out of the inventory.',
  OS_UNSUPPORTED: 'Use one of the systems that the message names.',
  KERNEL_UNSUPPORTED: 'Install a newer kernel and reboot.',
  COMMAND_MISSING: "Install it with the host's package manager.",
  PACKAGES_BROKEN: 'Run dpkg --configure -a on the host, then the command again.',
  CLOCK_SKEW: 'Run a time service on every host and let it set the clock.',
  PEER_UNREACHABLE: 'Check nodeIP in the inventory, the routes of the hosts, and firewalls between them.',
  // lock and plan file
  LOCKED: 'Wait until the other run has ended; the message says whose it is.',
  LOCK_LOST: 'See what the other run did, then run the command again.',
  PLAN_INVALID: 'Make the plan again: k8snet plan INVENTORY --out FILE.',
  PLAN_OUTDATED: 'Look at what is there now, and make the plan again: k8snet plan INVENTORY --out FILE.',
  // run
  HOST_REBOOTED: 'Find out why it restarted, then run the command again: it goes on from what is there.',
  CHANGE_REVERTED: 'See in the evidence why no new connection came about, and what of the change forbids it.',
  DISK_FULL: 'Make room on the file system that is named, then run the command again.',
  READ_ONLY: 'Find out why it is read-only (dmesg), mount it read-write, then run the command again.',
  DRAIN_FAILED: 'See which pods stay and why (a PodDisruptionBudget, a finalizer), then run the command again.',
  HOST_CHANGED: 'Run the command again: it plans from what is there now.',
  ACTION_FAILED: 'Read the evidence, which is what the action printed; mend it, and run the command again.',
  NOT_CONVERGED: 'See with k8snet plan what is left, and find what on the host sets it back.',
  DEPENDENCY_FAILED: 'Mend what failed first, then run the command again.',
  LAB_TOOL: 'Install or mend the tool that is named.',
  INTERRUPTED: 'Run the command again: it goes on from what is there.',
  NO_CLUSTER: 'Make one: k8snet up.',
  DEFECT: 'Please report it with the command that you ran.',
  // dumps and traces
  DUMP_INVALID: 'Make the dump again: k8snet verify INVENTORY --save DIR.',
  END_UNKNOWN: 'Name a pod as namespace/name, a node, a Service as svc/namespace/name, or an IP.',
}

/** The exit codes that a code comes with, where they are not those of its kind. */
const own: { readonly [C in Code]?: readonly Exit[] } = {
  KUBECONFIG_INVALID: [exits.badInput],
  API_FORBIDDEN: [exits.refused],
  API_FAILED: [exits.refused],
  CONNECTION_LOST: [exits.someHosts, exits.unreachable],
  TIMEOUT: [exits.someHosts, exits.unreachable],
  LOOK_FAILED: [exits.someHosts, exits.unreachable],
  LAB_TOOL: [exits.badInput, exits.someHosts],
  NO_CLUSTER: [exits.badInput, exits.someHosts],
  LOCKED: [exits.locked],
  LOCK_LOST: [exits.locked],
  PLAN_OUTDATED: [exits.outdated, exits.someHosts],
  INTERRUPTED: [exits.interrupted],
  DEFECT: [exits.defect],
}

/** The kinds of codes: each begins with a code, in the order of the table, and comes with these exit codes. */
const kinds: readonly { readonly title: string; readonly first: Code; readonly exits: readonly Exit[] }[] = [
  { title: 'Input', first: 'FILE_NOT_FOUND', exits: [exits.badInput] },
  { title: 'Reaching the API server', first: 'KUBECONFIG_INVALID', exits: [exits.unreachable] },
  { title: 'Reaching a host', first: 'HOST_UNREACHABLE', exits: [exits.unreachable, exits.someHosts] },
  { title: 'Preflight', first: 'DUPLICATE_MACHINE_ID', exits: [exits.refused] },
  { title: 'Lock and plan file', first: 'LOCKED', exits: [exits.badInput] },
  { title: 'Run', first: 'HOST_REBOOTED', exits: [exits.someHosts] },
  { title: 'The network', first: 'CONTAINERS_APART', exits: [exits.network] },
  { title: 'Causes of a broken network', first: 'CIDR_MISMATCH_FLANNEL', exits: [exits.network] },
  { title: 'Dumps and traces', first: 'DUMP_INVALID', exits: [exits.badInput] },
]

/** Of what kind a code is, and which exit codes it comes with, the usual one first. */
export function kindOf(code: Code): { readonly title: string; readonly exits: readonly Exit[] } {
  const order = Object.keys(codes)
  const kind = kinds.findLast(({ first }) => order.indexOf(first) <= order.indexOf(code))!
  return { title: kind.title, exits: own[code] ?? kind.exits }
}
