import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { readKubeconfig } from '../../src/kube/kubeconfig.ts'
import { Failure } from '../../src/model/trouble.ts'

const pem = (what: string) => `-----BEGIN ${what}-----\nc2VjcmV0\n-----END ${what}-----\n`
const base64 = (text: string) => Buffer.from(text).toString('base64')
const dir = mkdtempSync(join(tmpdir(), 'k8snet-kubeconfig-'))

const whole = `apiVersion: v1
kind: Config
current-context: one
contexts:
- name: one
  context: { cluster: c, user: u }
- name: two
  context: { cluster: c, user: t }
clusters:
- name: c
  cluster:
    server: https://192.0.2.1:6443
    certificate-authority-data: ${base64(pem('CERTIFICATE'))}
users:
- name: u
  user:
    client-certificate-data: ${base64(pem('CERTIFICATE'))}
    client-key-data: ${base64(pem('PRIVATE KEY'))}
- name: t
  user: { token: abc.def }
`

function written(text: string): string {
  const file = join(mkdtempSync(join(dir, 'k-')), 'config')
  writeFileSync(file, text)
  return file
}

function faults(text: string, context?: string) {
  const file = written(text)
  try {
    readKubeconfig(file, context)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    expect(error.exit).toBe(2)
    return error.troubles.map((it) => ({ ...it, where: it.where?.replace(`${file}:`, '') }))
  }
  throw new Error('it was not refused')
}

describe('a kubeconfig', () => {
  it('gives the server, the authority and the certificate of its current context', () => {
    const access = readKubeconfig(written(whole))
    expect(access).toMatchObject({ context: 'one', cluster: 'c', insecure: false, ca: pem('CERTIFICATE') })
    expect(access.server.href).toBe('https://192.0.2.1:6443/')
    expect(access.key?.reveal()).toBe(pem('PRIVATE KEY'))
    expect(access.token).toBeUndefined()
  })

  it('gives those of the context that is named', () => {
    const access = readKubeconfig(written(whole), 'two')
    expect(access.token?.reveal()).toBe('abc.def')
    expect(access.cert).toBeUndefined()
  })

  it('may name files, relative to itself', () => {
    const file = written(whole.replace(/client-key-data: .*/, 'client-key: key.pem'))
    writeFileSync(join(file, '../key.pem'), pem('PRIVATE KEY'))
    expect(readKubeconfig(file).key?.reveal()).toBe(pem('PRIVATE KEY'))
  })

  it('never shows a key or a token', () => {
    for (const context of ['one', 'two']) {
      const access = readKubeconfig(written(whole), context)
      expect(`${inspect(access)}${JSON.stringify(access)}`).not.toMatch(/c2VjcmV0\n-----END PRIVATE|abc\.def/)
    }
  })

  it('trusts any certificate only where it says so itself', () => {
    expect(readKubeconfig(written(whole)).insecure).toBe(false)
    const open = whole.replace(/certificate-authority-data: .*/, 'insecure-skip-tls-verify: true')
    expect(readKubeconfig(written(open)).insecure).toBe(true)
  })

  it.each([
    {
      what: 'a program that makes the login',
      text: whole.replace('{ token: abc.def }', '{ exec: { command: aws } }'),
      context: 'two',
      expected: { code: 'KUBECONFIG_INVALID', where: '20:17', message: /exec/, fix: /kubectl create token/ },
    },
    {
      what: 'an auth-provider',
      text: whole.replace('{ token: abc.def }', '{ auth-provider: { name: gcp } }'),
      context: 'two',
      expected: { code: 'KUBECONFIG_INVALID', where: '20:26', message: /auth-provider/, fix: /client certificate/ },
    },
    {
      what: 'another user to act as',
      text: whole.replace('{ token: abc.def }', '{ token: abc.def, as: root }'),
      context: 'two',
      expected: { code: 'KUBECONFIG_INVALID', where: '20:31', message: /as\)/, fix: /context/ },
    },
    {
      what: 'a context that it does not have',
      text: whole,
      context: 'three',
      expected: { code: 'KUBECONFIG_INVALID', where: '1:1', message: /no context three/, fix: /one, two/ },
    },
    {
      what: 'no current context',
      text: whole.replace('current-context: one\n', ''),
      expected: { code: 'KUBECONFIG_INVALID', where: '1:1', message: /current-context/, fix: /--context: one, two/ },
    },
    {
      what: 'a user that it does not have',
      text: whole.replace('user: t', 'user: nobody'),
      context: 'two',
      expected: { code: 'KUBECONFIG_INVALID', where: '8:32', message: /no user nobody/, fix: /u, t/ },
    },
    {
      what: 'a server without TLS',
      text: whole.replace('https:', 'http:'),
      expected: { code: 'KUBECONFIG_INVALID', where: '12:13', message: /https/, fix: /server: https/ },
    },
    {
      what: 'a proxy',
      text: whole.replace('    server:', '    proxy-url: socks5://x\n    server:'),
      expected: { code: 'KUBECONFIG_INVALID', where: '12:16', message: /proxy-url/, fix: /directly/ },
    },
    {
      what: 'a certificate that is no PEM',
      text: whole.replace(/certificate-authority-data: .*/, 'certificate-authority-data: bm9uZQ=='),
      expected: { code: 'KUBECONFIG_INVALID', where: '13:33', message: /not base64 of PEM/, fix: /copy/ },
    },
    {
      what: 'a key without its certificate',
      text: whole.replace(/\n *client-certificate-data: .*/, ''),
      expected: { code: 'KUBECONFIG_INVALID', where: '17:5', message: /no client-certificate/, fix: /client-cert/ },
    },
    {
      what: 'a key file that is not there',
      text: whole.replace(/client-key-data: .*/, 'client-key: gone.pem'),
      expected: { code: 'FILE_NOT_FOUND', where: '18:17', message: /gone\.pem/, fix: /relative to the kubeconfig/ },
    },
    {
      what: 'what is no YAML',
      text: 'a: [',
      expected: { code: 'YAML_SYNTAX', where: '1:5', message: /not YAML/ },
    },
  ])('that has $what is refused at its place', ({ text, context, expected }) => {
    const [fault] = faults(text, context)
    expect(fault).toMatchObject({ code: expected.code, where: expected.where })
    expect(fault?.message).toMatch(expected.message)
    if (expected.fix) expect(fault?.fix).toMatch(expected.fix)
  })

  it('that is not there is said to be so', () => {
    expect(() => readKubeconfig(join(dir, 'none'))).toThrow(/FILE_NOT_FOUND/)
  })
})
