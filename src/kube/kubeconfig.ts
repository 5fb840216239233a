import { dirname, resolve } from 'node:path'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { textOf } from '../read/file.ts'
import { type Credentials, credentials } from './credentials.ts'
import { type Place, readPlaces } from './places.ts'

/** How one context of a kubeconfig reaches an API server, and as whom. */
export interface KubeAccess extends Credentials {
  readonly file: string
  readonly context: string
  /** The name that the kubeconfig gives the cluster. */
  readonly cluster: string
  readonly server: URL
  /** The name that the server's certificate has to bear in place of the one in the address. */
  readonly serverName?: string
  /** The file says that any certificate will do. */
  readonly insecure: boolean
}

/**
 * Reads a context of a kubeconfig: the one that is named, or the current one. Certificates, keys and tokens may stand in it or in
 * files, whose paths are relative to it.
 * @throws Failure (exit 2) FILE_NOT_FOUND, FILE_EMPTY, YAML_SYNTAX, KUBECONFIG_INVALID, with every fault at once and its file:line:column
 */
export function readKubeconfig(file: string, wanted?: string): KubeAccess {
  const root = readPlaces(file, textOf(file, 'the kubeconfig'))
  const troubles: Trouble[] = []
  const refuse = (place: Place, message: string, fix: string) =>
    void troubles.push({ code: 'KUBECONFIG_INVALID', message, where: place.where, fix })
  const given = wanted ?? root.get('current-context').text()
  if (!given) {
    refuse(root.get('current-context'), 'it names no current-context', `say --context: ${namesIn(root, 'contexts')}`)
    throw new Failure(exits.badInput, troubles)
  }
  const context = entry(root, 'contexts', given)?.get('context')
  if (!context) {
    const place = wanted === undefined ? root.get('current-context') : root
    refuse(place, `it has no context ${given}`, `one of ${namesIn(root, 'contexts')}`)
    throw new Failure(exits.badInput, troubles)
  }
  const refers = (kind: 'cluster' | 'user') => {
    const name = context.get(kind).text() ?? ''
    const found = entry(root, `${kind}s`, name)?.get(kind)
    if (!found)
      refuse(context.get(kind), `it has no ${kind} ${name || '(none is named)'}`, `one of ${namesIn(root, `${kind}s`)}`)
    return found
  }
  const cluster = refers('cluster')
  const user = refers('user')
  const server = cluster && serverOf(cluster, refuse)
  const paths = { base: dirname(resolve(file)), refuse, troubles }
  const told = cluster && user ? credentials(cluster, user, paths) : {}
  if (troubles.length > 0 || !server || !cluster) throw new Failure(exits.badInput, troubles)
  const serverName = cluster.get('tls-server-name').text()
  return {
    file,
    context: given,
    cluster: context.get('cluster').text() ?? '',
    server,
    insecure: cluster.get('insecure-skip-tls-verify').value() === true,
    ...(serverName && { serverName }),
    ...told,
  }
}

function serverOf(cluster: Place, refuse: (place: Place, message: string, fix: string) => void): URL | undefined {
  const at = cluster.get('server')
  const text = at.text()
  const proxy = cluster.get('proxy-url')
  if (proxy.text()) refuse(proxy, 'proxy-url is not followed', 'run k8snet where the API server is reached directly')
  if (!text) return void refuse(at, 'the cluster has no server', 'write server: https://ADDRESS:6443')
  if (URL.canParse(text) && new URL(text).protocol === 'https:') return new URL(text)
  return void refuse(at, `server ${text} is no https:// address`, 'write server: https://ADDRESS:6443')
}

function entry(root: Place, kind: string, name: string): Place | undefined {
  return root
    .get(kind)
    .items()
    .find((item) => item.get('name').text() === name)
}

function namesIn(root: Place, kind: string): string {
  const names = root
    .get(kind)
    .items()
    .flatMap((item) => item.get('name').text() ?? [])
  return names.join(', ') || 'none, the file has none'
}
