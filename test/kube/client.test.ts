import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { kubeClient } from '../../src/kube/client.ts'
import { resourceOf } from '../../src/kube/faults.ts'
import type { KubeAccess } from '../../src/kube/kubeconfig.ts'
import { Secret } from '../../src/model/secret.ts'
import { Failure } from '../../src/model/trouble.ts'

/** A real HTTPS server on loopback that answers as an API server does. */
let server: Server
let ca: string
let asked: { method: string; url: string; authorization?: string | undefined; body: string }[]
let dir: string
let answer: (request: IncomingMessage, response: ServerResponse) => void

const token = 'very-secret-token'
const status = (code: number, message: string) => JSON.stringify({ kind: 'Status', code, message })

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'k8snet-api-'))
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  const san = ['-subj', '/CN=kube', '-addext', 'subjectAltName=IP:127.0.0.1']
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  execFileSync('openssl', [...words, ...san, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  ca = readFileSync(cert, 'utf8')
  server = createServer({ key: readFileSync(key), cert: ca }, (request, response) => {
    let body = ''
    request.on('data', (data) => {
      body += data
    })
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      asked.push({ method, url, authorization: headers.authorization, body })
      answer(request, response)
    })
  })
  // a stall between two requests is not to close the connection that the client keeps
  server.keepAliveTimeout = 300_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
beforeEach(() => {
  asked = []
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(dir, { recursive: true, force: true })
})

const port = () => (server.address() as AddressInfo).port
const access = (more: Partial<KubeAccess> = {}): KubeAccess => ({
  file: 'config',
  context: 'lab',
  cluster: 'lab',
  server: new URL(`https://127.0.0.1:${port()}`),
  ca,
  insecure: false,
  token: new Secret(token),
  ...more,
})
const says = (code: number, text: string) => {
  answer = (_, response) => response.writeHead(code).end(text)
}
async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (!(error instanceof Failure)) throw new Error(`no Failure but ${inspect(error)}`)
  return error
}

describe('the API client', () => {
  it('reads a collection page by page, with the token of the kubeconfig', async () => {
    answer = ({ url }, response) => {
      const next = url?.includes('continue=more') ? {} : { continue: 'more' }
      response.end(JSON.stringify({ metadata: next, items: [{ n: asked.length }] }))
    }
    const client = kubeClient(access())
    expect(await client.list('/api/v1/nodes')).toEqual([{ n: 1 }, { n: 2 }])
    client.close()
    expect(asked[0]?.authorization).toBe(`Bearer ${token}`)
  })

  it('takes a missing object for missing, and a missing API of a proxy in front for an error', async () => {
    const client = kubeClient(access())
    says(404, status(404, 'configmaps "x" not found'))
    expect(await client.find('/api/v1/namespaces/a/configmaps/x')).toBeUndefined()
    says(404, '<html>nginx')
    expect((await failureOf(client.find('/api/v1/namespaces/a/configmaps/x'))).troubles[0]?.code).toBe('API_FAILED')
    client.close()
  })

  it('waits where it is told to, and asks again', async () => {
    answer = (_, response) =>
      asked.length === 1 ? response.writeHead(429, { 'retry-after': '1' }).end() : response.end('{"a":1}')
    const client = kubeClient(access())
    expect(await client.find('/version')).toEqual({ a: 1 })
    client.close()
    expect(asked.length).toBe(2)
  })

  it.each([
    {
      what: 'a forbidden list',
      code: 403,
      text: status(403, 'nodes is forbidden: User "x" cannot list resource "nodes"'),
      expected: {
        code: 'API_FORBIDDEN',
        exit: 5,
        message: /may not list nodes/,
        fix: /verbs: \[list\], resources: \[nodes\]/,
      },
    },
    {
      what: 'a certificate or token that has ended',
      code: 401,
      text: status(401, 'Unauthorized'),
      expected: { code: 'API_UNAUTHORIZED', exit: 4, message: /does not accept/, fix: /new kubeconfig/ },
    },
    {
      what: 'an API server that is only starting',
      code: 503,
      text: 'starting',
      expected: { code: 'API_UNREACHABLE', exit: 5, message: /503/, fix: /inventory/ },
    },
    {
      what: 'a request that it refuses',
      code: 422,
      text: status(422, 'name is wrong'),
      expected: { code: 'API_FAILED', exit: 5, message: /422/, fix: /inventory/ },
    },
  ])('says of $what what it means', async ({ code, text, expected }) => {
    says(code, text)
    const client = kubeClient(access())
    const failure = await failureOf(client.list('/api/v1/nodes'))
    client.close()
    expect(failure.exit).toBe(expected.exit)
    expect(failure.troubles[0]?.code).toBe(expected.code)
    expect(failure.message).toMatch(expected.message)
    expect(failure.troubles[0]?.fix).toMatch(expected.fix)
    expect(inspect(failure, { depth: 9 })).not.toContain(token)
  })

  it('refuses a certificate that the kubeconfig does not vouch for, before it shows its token', async () => {
    says(200, '{}')
    const { ca: _, ...without } = access()
    const client = kubeClient(without)
    const failure = await failureOf(client.find('/version'))
    client.close()
    expect(failure.troubles[0]?.code).toBe('API_UNTRUSTED')
    expect(failure.exit).toBe(4)
    expect(asked).toEqual([])
  })

  it('takes any certificate where the kubeconfig says so', async () => {
    says(200, '{}')
    const { ca: _, ...without } = access({ insecure: true })
    const client = kubeClient(without)
    expect(await client.find('/version')).toEqual({})
    client.close()
  })

  it('leads to an inventory when nobody answers, or not in time', async () => {
    const dead = kubeClient(access({ server: new URL('https://127.0.0.1:1') }))
    const refused = await failureOf(dead.find('/version'))
    dead.close()
    answer = () => {}
    const slow = kubeClient(access())
    const late = await failureOf(slow.text('/version', { timeoutMs: 200 }))
    slow.close()
    for (const failure of [refused, late]) {
      expect(failure.troubles[0]).toMatchObject({ code: 'API_UNREACHABLE' })
      expect(failure.troubles[0]?.fix).toContain('k8snet verify inventory.yaml')
      expect(failure.exit).toBe(4)
    }
    expect(late.troubles[0]?.evidence?.[0]?.line).toBe('no answer after 0.2 s')
  })

  it('asks again when the server had just closed the connection that was kept', async () => {
    says(200, '{}')
    const client = kubeClient(access())
    await client.find('/version')
    answer = ({ socket }, response) => (asked.length === 2 ? socket.destroy() : response.end('{"late":true}'))
    expect(await client.find('/version')).toEqual({ late: true })
    client.close()
  })

  it('stops at an abort, and still removes after it', async () => {
    const stop = new AbortController()
    const client = kubeClient(access(), { signal: stop.signal })
    answer = () => stop.abort()
    const failure = await failureOf(client.list('/api/v1/pods'))
    expect(failure).toMatchObject({ exit: 130 })
    says(200, '{}')
    await client.remove('/api/v1/namespaces/x')
    expect((await failureOf(client.find('/version'))).exit).toBe(130)
    client.close()
    expect(asked.map(({ method }) => method)).toEqual(['GET', 'DELETE'])
  })
})

describe('a resource in the words of RBAC', () => {
  it.each([
    ['/api/v1/nodes?limit=500', 'nodes'],
    ['/api/v1/namespaces', 'namespaces'],
    ['/api/v1/namespaces/x', 'namespaces'],
    ['/api/v1/namespaces/x/pods', 'pods'],
    ['/api/v1/namespaces/x/pods/y/log?container=one', 'pods/log'],
    ['/apis/apps/v1/namespaces/x/daemonsets', 'daemonsets.apps'],
    ['/version', '/version'],
  ])('of %s is %s', (path, resource) => {
    expect(resourceOf(path)).toBe(resource)
  })
})
