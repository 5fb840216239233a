import type { Cause } from '../model/cause.ts'
import { netpolNotEnforced, nodeNotReady } from './services/cluster.ts'
import { coreDnsLoop, coreDnsNotReady, dnsConntrackRace, dnsNoEndpoints, kubeletDnsMismatch } from './services/dns.ts'
import { kubeRulesMissing, kubeRulesStale } from './services/endpoints.ts'
import { trafficPolicyBroken } from './services/policy.ts'
import { kubeProxyDown } from './services/proxy.ts'
import { hairpinOff, serviceNoEndpoints, udpConntrackStale } from './services/service.ts'
import { kubeMasqMissing, kubeSpreadWrong } from './services/shares.ts'

/** What is wrong between a Service and its pods; last what mostly follows from something else. */
export const serviceCauses: readonly Cause[] = [
  kubeProxyDown,
  kubeRulesStale,
  kubeRulesMissing,
  kubeSpreadWrong,
  kubeMasqMissing,
  trafficPolicyBroken,
  hairpinOff,
  udpConntrackStale,
  kubeletDnsMismatch,
  coreDnsLoop,
  nodeNotReady,
  coreDnsNotReady,
  dnsNoEndpoints,
  serviceNoEndpoints,
  dnsConntrackRace,
  netpolNotEnforced,
]
