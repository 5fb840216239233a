import { exits, Failure, type Trouble } from '../model/trouble.ts'

/** A request, in the words of HTTP and in those of RBAC. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly verb: 'get' | 'list' | 'create' | 'delete' | 'deletecollection'
  readonly path: string
}

interface Where {
  readonly server: string
  readonly context: string
}

const byInventory = 'With an inventory, verify needs SSH alone and works without the API: k8snet verify inventory.yaml'

/** Codes of node:tls that mean: the certificate that was shown is not one to be trusted. */
const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME|HOSTNAME_MISMATCH/
/** The server broke off the handshake because of the certificate that it was shown. */
const alert = /ALERT|ERR_SSL/

/** Why no answer came at all. */
export function unanswered(call: Call, cause: NodeJS.ErrnoException, at: Where, signal?: AbortSignal): Failure {
  if (signal?.aborted) {
    if (signal.reason instanceof Failure) return signal.reason
    return new Failure(exits.interrupted, { code: 'INTERRUPTED', message: 'stopped while the API server was asked' })
  }
  const code = cause.code ?? ''
  const evidence = [{ source: `${call.method} ${at.server}${bare(call.path)}`, line: cause.message || code }]
  if (untrusted.test(code))
    return failure(exits.unreachable, at, {
      code: 'API_UNTRUSTED',
      message: 'the certificate of the API server is not to be trusted',
      evidence,
      fix: `See that server and certificate-authority-data of context ${at.context} belong to one cluster, and that no certificate has ended.`,
    })
  if (alert.test(code)) return unauthorized(at, evidence)
  return failure(exits.unreachable, at, {
    code: 'API_UNREACHABLE',
    message: 'the API server does not answer',
    evidence,
    fix: `See that the address of context ${at.context} is right and open to this machine. ${byInventory}`,
  })
}

/** What an answer that is no success means: null where there is simply nothing there; everything else is thrown. */
export function answered(
  call: Call,
  reply: { readonly status: number; readonly text: string },
  at: Where,
  strict?: true,
): null {
  const said = statusMessage(reply.text)
  const evidence = [
    { source: `${call.method} ${at.server}${bare(call.path)}`, line: `${reply.status || 'closed'} ${said}` },
  ]
  if (reply.status === 404 && !strict && isStatus(reply.text)) return null
  if (reply.status === 401) throw unauthorized(at, evidence)
  if (reply.status === 403) {
    const what = `${call.verb} ${resourceOf(call.path)}`
    throw failure(exits.refused, at, {
      code: 'API_FORBIDDEN',
      message: `the user of context ${at.context} may not ${what}`,
      evidence,
      fix: `Use a context that may, or have an administrator allow it: a role with verbs: [${call.verb}], resources: [${resourceOf(call.path)}].`,
    })
  }
  throw failure(exits.refused, at, {
    code: reply.status === 0 || reply.status >= 500 ? 'API_UNREACHABLE' : 'API_FAILED',
    message: `${call.verb} ${resourceOf(call.path)} was answered with ${reply.status || 'a closed connection'}`,
    evidence,
    fix: byInventory,
  })
}

function unauthorized(at: Where, evidence: NonNullable<Trouble['evidence']>): Failure {
  return failure(exits.unreachable, at, {
    code: 'API_UNAUTHORIZED',
    message: `the API server does not accept the user of context ${at.context}`,
    evidence,
    fix: `Get a new kubeconfig: the certificate or token of context ${at.context} has ended, or belongs to another cluster.`,
  })
}

function failure(exit: Failure['exit'], at: Where, trouble: Trouble): Failure {
  return new Failure(exit, { ...trouble, where: at.server })
}

/** The message of a Status object of Kubernetes, or the first line of whatever came. */
function statusMessage(text: string): string {
  const status = parsed(text)
  return (status?.message ?? text.split('\n')[0] ?? '').slice(0, 500)
}

/** Does the API server itself say it, and not a proxy in front of it? */
const isStatus = (text: string): boolean => parsed(text)?.kind === 'Status'

function parsed(text: string): { kind?: string; message?: string } | undefined {
  try {
    return JSON.parse(text) as { kind?: string; message?: string }
  } catch {
    return undefined
  }
}

const bare = (path: string): string => path.replace(/\?.*/, '')

/** As RBAC names it: /api/v1/namespaces/x/pods/y/log -> pods/log, /apis/apps/v1/namespaces/x/daemonsets -> daemonsets.apps */
export function resourceOf(path: string): string {
  const words = bare(path).split('/').filter(Boolean)
  const group = words[0] === 'apis' ? words[1] : undefined
  const rest = words.slice(group === undefined ? 2 : 3)
  const own = rest[0] === 'namespaces' && rest.length > 2 ? rest.slice(2) : rest
  const [kind = bare(path), , part] = own
  return `${kind}${part ? `/${part}` : ''}${group ? `.${group}` : ''}`
}
