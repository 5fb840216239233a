import type { Action } from '../model/action.ts'

/** Files that say how the host is reached. */
const paths =
  /^\/etc\/(ssh|hosts\.allow|hosts\.deny|pam\.d|nftables|ufw|firewalld|iptables|netplan|network|NetworkManager|systemd\/network|sysconfig\/(network|iptables))(\/|\.|-|$)/

/** Units that let in, or carry the packets. */
const units =
  /^(sshd?|systemd-networkd|networking|NetworkManager|ufw|firewalld|nftables|iptables|netfilter-persistent)(\.service|\.socket)?$/

/** Live settings that a login or the way back of packets may hang on. */
const keys = /^kernel\.hostname$|\.(rp_filter|accept_local|disable_ipv6)$/

/**
 * Could this change keep everybody out of the host? Such a change stands only once a new connection has come in after it, and is
 * taken back by the host otherwise.
 */
export function canLockOut(action: Action): boolean {
  switch (action.kind) {
    case 'firewall':
      return true
    case 'sysctl':
      return keys.test(action.key)
    case 'file':
    case 'line':
      return paths.test(action.path)
    case 'service':
      return units.test(action.unit)
    default:
      return false
  }
}
