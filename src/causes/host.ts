import type { Cause } from '../model/cause.ts'
import { firewallLateDrop, forwardDrop, nodePortBlocked } from './host/forward.ts'
import { brNetfilterOff, forwardingOff, ipForwardOff } from './host/forwarding.ts'
import { certExpiring, duplicateMac, duplicateMachineId, duplicateProductUuid } from './host/identity.ts'
import { apiPortBlocked, inputDropFromPods, kubeletPortBlocked, tunnelPortBlocked } from './host/input.ts'
import { iptablesModeMix, rulesOfOldCluster } from './host/leftovers.ts'
import { conntrackFull, inotifyLimit } from './host/limits.ts'
import { flannelRulesLost, podSnatRule } from './host/nat.ts'
import { networkdFlush } from './host/networkd.ts'
import { noServiceRoute, rpFilter } from './host/routes.ts'

/** What is wrong with a host itself: nothing on it can be well while that is so. */
export const hostCauses: readonly Cause[] = [
  duplicateMac,
  certExpiring,
  ipForwardOff,
  forwardingOff,
  brNetfilterOff,
  inotifyLimit,
  conntrackFull,
  apiPortBlocked,
  tunnelPortBlocked,
  inputDropFromPods,
  kubeletPortBlocked,
  forwardDrop,
  firewallLateDrop,
  nodePortBlocked,
  rpFilter,
  noServiceRoute,
  rulesOfOldCluster,
  iptablesModeMix,
  podSnatRule,
  flannelRulesLost,
  networkdFlush,
  duplicateMachineId,
  duplicateProductUuid,
]
