import type { Cause } from '../model/cause.ts'
import { hostGwNotAdjacent } from './pod-network/adjacent.ts'
import { flannelWrongIface, publicIpStale } from './pod-network/announced.ts'
import { cni0AddressWrong, cni0Down, cni0Missing, vethDetached } from './pod-network/bridge.ts'
import { cniBinMissing, cniConfMissing, cniConfShadow } from './pod-network/cni.ts'
import { flannelAddressWrong, flannelLinkDown, flannelLinkMissing } from './pod-network/device.ts'
import { flannelEnvStale, flannelNotReady } from './pod-network/flannel.ts'
import { hostPortBlocked, hostPortRulesMissing, hostPortTaken } from './pod-network/host-port.ts'
import { mtuMismatch, mtuUnderlay } from './pod-network/mtu.ts'
import {
  cidrMismatchFlannel,
  cidrMismatchProxy,
  podcidrDuplicate,
  podcidrOutside,
  podcidrUnassigned,
} from './pod-network/networks.ts'
import { cidrOverlapHost } from './pod-network/overlap.ts'
import {
  peerFdbMissing,
  peerFdbStale,
  peerNeighMissing,
  peerNeighStale,
  peerRouteMissing,
  peerRouteWrong,
} from './pod-network/peers.ts'
import { ipamLeak, podIpDuplicate, podIpOutsidePodcidr, podLinkDown, podRouteMissing } from './pod-network/pods.ts'
import { routeShadowed } from './pod-network/shadow.ts'
import { vniMismatch, vtepMacDrift, vxlanPortMismatch } from './pod-network/tunnel.ts'
import { kubeletWrongNodeIp, vxlanCsumOffload } from './pod-network/underlay.ts'

/** Causes in the pod network itself: what the cluster was told, flannel, tunnels, bridges and pods; what others follow from comes first. */
export const podNetworkCauses: readonly Cause[] = [
  kubeletWrongNodeIp,
  cidrMismatchFlannel,
  cidrMismatchProxy,
  podcidrUnassigned,
  podcidrDuplicate,
  podcidrOutside,
  cidrOverlapHost,
  flannelNotReady,
  cniConfShadow,
  cniConfMissing,
  cniBinMissing,
  flannelEnvStale,
  flannelLinkMissing,
  flannelLinkDown,
  flannelAddressWrong,
  flannelWrongIface,
  publicIpStale,
  vniMismatch,
  vxlanPortMismatch,
  vtepMacDrift,
  hostGwNotAdjacent,
  routeShadowed,
  peerRouteMissing,
  peerRouteWrong,
  peerNeighMissing,
  peerNeighStale,
  peerFdbMissing,
  peerFdbStale,
  cni0Missing,
  cni0Down,
  cni0AddressWrong,
  vethDetached,
  podLinkDown,
  podRouteMissing,
  podIpOutsidePodcidr,
  podIpDuplicate,
  mtuUnderlay,
  mtuMismatch,
  vxlanCsumOffload,
  hostPortRulesMissing,
  hostPortTaken,
  hostPortBlocked,
  ipamLeak,
]
