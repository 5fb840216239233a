import type { Check } from '../model/report.ts'
import { checkId } from './case.ts'
import type { ClusterState } from './cluster.ts'
import { failed } from './judge.ts'
import type { OutsideProbe } from './outside.ts'

const httpPort = 80
const timeoutMs = 4000
/** Answers that a controller gives when it gets none from the Service. */
const nobodyBehind = /^HTTP\/\S+ (502|503|504)\b/

/** From the controller to every Ingress by each of its hosts: outside -> Ingress -> Service -> pod. None there, none checked. */
export async function ingressChecks(
  { ingresses = [] }: ClusterState,
  outside: OutsideProbe | undefined,
  signal?: AbortSignal,
): Promise<Check[]> {
  const checks = ingresses.flatMap(({ namespace, name, addresses, rules }) =>
    (rules.length > 0 ? rules : [{ host: '', path: '/' }]).map(async ({ host, path }): Promise<Check> => {
      const to = `${namespace}/${name}${host && `/${host}`}`
      const of = { scenario: 'ingress' as const, from: 'controller', to, protocol: 'tcp' as const }
      const check = { ...of, id: checkId(of) }
      const skipped = (evidence: string): Check => ({ ...check, outcome: 'skipped', ms: 0, evidence })
      const [address] = addresses
      if (!address) return skipped('no ingress controller has given the Ingress an address')
      if (!outside) return skipped('nobody outside of the cluster tries it')
      const began = performance.now()
      const asked = host.replace(/^\*\./, 'k8snet.') || address
      const send = `GET ${path} HTTP/1.1\r\nHost: ${asked}\r\nUser-Agent: k8snet\r\nConnection: close\r\n\r\n`
      const got = await outside(address, httpPort, { wantLine: true, send, timeoutMs, ...(signal && { signal }) })
      const ms = Math.round(performance.now() - began)
      const said = `GET http://${asked}${path} at ${address}:${httpPort}: ${got.ok ? got.line.trim() : got.reason}`
      if (!got.ok || !/^HTTP\//.test(got.line) || nobodyBehind.test(got.line))
        return failed(check, { code: 'INGRESS_FAILED', evidence: said }, ms)
      const note = / 404\b/.test(got.line) ? `${said}: it may be the controller that says so` : undefined
      return { ...check, outcome: 'passed', ms, evidence: said, ...(note && { note }) }
    }),
  )
  return Promise.all(checks)
}
