import type { ClientRequest } from 'node:http'
import { Agent, request } from 'node:https'
import type { CallOptions, KubeApi } from '../model/kube.ts'
import { Failure } from '../model/trouble.ts'
import { answered, type Call, unanswered } from './faults.ts'
import type { KubeAccess } from './kubeconfig.ts'

// @kubernetes/client-node brings 16 packages (openid-client, undici, ws …) for the four calls that are needed here.

/** More requests than this wait for their turn, so that many nodes do not crowd out the others who use the API server. */
const atOnce = 32
const callMs = 15_000
const pageSize = 500
/** How often a request is made again that the server put off (429), or whose kept connection it had just closed. */
const againAtMost = 4

/** The real API server. Close it when nothing more is to be asked. */
export interface KubeClient extends KubeApi {
  close(): void
}

/**
 * Speaks HTTPS with the API server that a kubeconfig names. No key or token ever gets into an error.
 * Its calls throw a Failure: API_UNREACHABLE, API_UNTRUSTED, API_UNAUTHORIZED (exit 4), API_FORBIDDEN, API_FAILED (exit 5),
 * INTERRUPTED once `signal` is aborted.
 */
export function kubeClient(access: KubeAccess, { signal }: { readonly signal?: AbortSignal } = {}): KubeClient {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: atOnce,
    rejectUnauthorized: !access.insecure,
    ...(access.ca !== undefined && { ca: access.ca }),
    ...(access.cert !== undefined && { cert: access.cert }),
    ...(access.key && { key: access.key.reveal() }),
    ...(access.serverName && { servername: access.serverName }),
  })
  const server = access.server.href.replace(/\/+$/, '')
  const where = { server, context: access.context }

  // One listener for all requests; those that clean up are not among them.
  const underway = new Set<ClientRequest>()
  signal?.addEventListener('abort', () => {
    for (const asked of underway) asked.destroy()
  })

  const once = (call: Call, body: string | undefined, stop: AbortSignal | undefined, timeoutMs: number) =>
    new Promise<Reply>((resolve, reject) => {
      const url = new URL(`${server}${call.path}`)
      const fail = (cause: NodeJS.ErrnoException) => reject(unanswered(call, cause, where, stop))
      const asked = request(
        url,
        {
          agent,
          method: call.method,
          headers: {
            accept: 'application/json, */*',
            ...(access.token && { authorization: `Bearer ${access.token.reveal()}` }),
            ...(body !== undefined && {
              'content-type': 'application/json',
              'content-length': Buffer.byteLength(body),
            }),
          },
        },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', fail)
          response.on('close', () => underway.delete(asked))
          response.on('end', () => {
            clearTimeout(timer)
            const text = Buffer.concat(chunks).toString('utf8')
            resolve({ status: response.statusCode ?? 0, text, after: Number(response.headers['retry-after']) || 1 })
          })
        },
      )
      const timer = setTimeout(
        () => asked.destroy(Object.assign(new Error(`no answer after ${timeoutMs / 1000} s`), { code: 'ETIMEDOUT' })),
        timeoutMs,
      )
      if (stop) underway.add(asked)
      if (stop?.aborted) asked.destroy()
      asked.on('error', (cause: NodeJS.ErrnoException) => {
        clearTimeout(timer)
        underway.delete(asked)
        if (!stop?.aborted && asked.reusedSocket && cause.code === 'ECONNRESET')
          resolve({ status: 0, text: '', after: 0 })
        else fail(cause)
      })
      asked.end(body)
    })

  /** `lasting` calls go on after an abort: they clean up. */
  const call = async (
    it: Call,
    { object, timeoutMs = callMs, lasting }: CallOptions & { object?: object; lasting?: true } = {},
  ) => {
    const body = object && JSON.stringify(object)
    for (let tried = 1; ; tried += 1) {
      const reply = await once(it, body, lasting ? undefined : signal, timeoutMs)
      const again = (reply.status === 429 || reply.status === 0) && tried < againAtMost
      if (!again) return reply.status >= 200 && reply.status < 300 ? reply.text : answered(it, reply, where)
      await new Promise((resolve) => setTimeout(resolve, Math.min(reply.after, 5) * 1000))
    }
  }

  return {
    server,
    find: async <T>(path: string) => {
      const text = await call({ method: 'GET', verb: 'get', path })
      return text === null ? undefined : (JSON.parse(text) as T)
    },
    list: async <T>(path: string) => {
      const items: T[] = []
      let next = ''
      do {
        const page = `${path}${path.includes('?') ? '&' : '?'}limit=${pageSize}${next && `&continue=${encodeURIComponent(next)}`}`
        const list = JSON.parse((await call({ method: 'GET', verb: 'list', path: page })) ?? '{}') as Page<T>
        items.push(...(list.items ?? []))
        next = list.metadata?.continue ?? ''
      } while (next !== '')
      return items
    },
    text: async (path, options) => {
      const it: Call = { method: 'GET', verb: 'get', path }
      return (await call(it, options)) ?? missing(it, where)
    },
    create: async (path, object) => {
      const it: Call = { method: 'POST', verb: 'create', path }
      // Not broken off in the middle: then nobody would know whether it is there.
      if ((await call(it, { object, lasting: true })) === null) missing(it, where)
    },
    remove: async (path, { graceSeconds } = {}) => {
      const object = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: 'Background',
        ...(graceSeconds !== undefined && { gracePeriodSeconds: graceSeconds }),
      }
      const verb = /\?|\/(pods|daemonsets)$/.test(path) ? 'deletecollection' : 'delete'
      await call({ method: 'DELETE', verb, path }, { object, lasting: true })
    },
    close: () => agent.destroy(),
  }
}

interface Reply {
  /** 0: the connection that was kept was closed before the request came through. */
  readonly status: number
  readonly text: string
  /** Seconds. */
  readonly after: number
}

interface Page<T> {
  readonly items?: T[]
  readonly metadata?: { readonly continue?: string }
}

function missing(call: Call, where: { server: string; context: string }): never {
  const gone = answered(call, { status: 404, text: 'not found' }, where, true)
  throw gone ?? new Failure(1, { code: 'DEFECT', message: 'a missing object was not told as such' })
}
