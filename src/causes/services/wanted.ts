import type { ApiService, Picture } from '../../model/dump.ts'
import { groupBy } from '../../model/group.ts'
import type { Scenario } from '../../model/report.ts'
import { isV4, once, overServices } from '../host/tools.ts'
import { serviceKey } from './rules.ts'

/** A port of a Service, and where it has to lead. */
export interface Wanted {
  readonly service: ApiService
  readonly port: ApiService['ports'][number]
  /** As in the rules: `10.96.0.10 udp 53` */
  readonly key: string
  /** The same for its NodePort, where it has one: `tcp 30080` */
  readonly door?: string
  readonly endpoints: readonly Endpoint[]
  /** `10.244.0.2:53` of all of them. */
  readonly known: ReadonlySet<string>
}

export interface Endpoint {
  /** `10.244.0.2:53` */
  readonly to: string
  readonly node?: string
  /** It takes new connections, and its pod is neither unready nor leaving. */
  readonly steady: boolean
}

export const nameOf = ({ namespace, name }: ApiService): string => `${namespace}/${name}`

/** `kube-system/kube-dns:dns` */
export const portName = ({ service, port }: Wanted): string => nameOf(service) + (port.name ? `:${port.name}` : '')

/** The Services that kube-proxy has to serve, port by port: none that is headless or an ExternalName. */
export const wantedOf = once((picture): readonly Wanted[] => {
  const { cluster } = picture
  if (!cluster) return []
  const slices = groupBy(cluster.slices, ({ namespace, service }) => `${namespace}/${service}`)
  const pods = new Map(cluster.pods.map((pod) => [`${pod.namespace}/${pod.name}`, pod]))
  return cluster.services.flatMap((service) => {
    const ip = service.clusterIPs.find((one) => isV4(one))
    if (!ip || service.type === 'ExternalName') return []
    return service.ports.map((port): Wanted => {
      const endpoints = (slices.get(nameOf(service)) ?? []).flatMap((slice) =>
        slice.ports
          .filter(({ name, protocol }) => name === port.name && protocol === port.protocol)
          .flatMap(({ port: number }) =>
            slice.endpoints
              .filter(({ ip }) => isV4(ip))
              .map(({ ip, node, pod: name, ready, terminating }): Endpoint => {
                const pod = name === undefined ? undefined : pods.get(`${service.namespace}/${name}`)
                const well = name === undefined || (pod?.ready === true && !pod.leaving)
                return { to: `${ip}:${number}`, steady: ready && !terminating && well, ...(node && { node }) }
              }),
          ),
      )
      const known = new Set(endpoints.map(({ to }) => to))
      const key = serviceKey(ip, port.protocol, port.port)
      const door = service.type !== 'ClusterIP' && port.nodePort ? `${port.protocol} ${port.nodePort}` : undefined
      return { service, port, key, ...(door && { door }), endpoints, known }
    })
  })
})

export const isDns = ({ namespace, name, ports }: ApiService): boolean =>
  namespace === 'kube-system' && (name === 'kube-dns' || name === 'coredns') && ports.some(({ port }) => port === 53)

/** The checks that go through one of these Services. */
export function scenariosOf(services: readonly ApiService[]): Scenario[] {
  const isApi = (service: ApiService) => nameOf(service) === 'default/kubernetes'
  return overServices.filter((scenario) => {
    if (scenario === 'dns') return services.some(isDns)
    if (scenario === 'api') return services.some(isApi)
    return services.some((service) => !isDns(service) && !isApi(service))
  })
}

/** Is this the only node whose rules could be compared? */
export const isAlone = (picture: Picture): boolean => picture.nodes.size < 2
