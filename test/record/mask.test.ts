import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { maskedJson, maskOf } from '../../src/model/mask.ts'
import { cpuSeconds } from '../helpers/cpu.ts'

const pem = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})
const body = pem.privateKey.split('\n')[1]!
const base64 = (text: string) => Buffer.from(text).toString('base64')
const mask = maskOf(['open sesame'])

describe('what has the form of a secret is masked', () => {
  it.each<[string, string, string]>([
    ['a bootstrap token', 'msg="joined with abcdef.0123456789abcdef ok"', '0123456789abcdef'],
    ['a bootstrap token at a line end', 'token abcdef.0123456789abcdef', '0123456789abcdef'],
    ["a bootstrap token's half in a Secret", '"token-secret": "0123456789abcdef"', '0123456789abcdef'],
    ['a private key', `before\n${pem.privateKey}after`, body],
    ['a private key in one line', JSON.stringify({ key: pem.privateKey }), body],
    ['a private key cut at its end', pem.privateKey.slice(0, 120), body.slice(0, 40)],
    ['a private key cut at its beginning', pem.privateKey.split('\n').slice(1).join('\n'), body],
    ['client-key-data', `    client-key-data: ${base64(pem.privateKey)}\n`, base64(pem.privateKey).slice(0, 60)],
    ['a key in base64 without its name', `data ${base64(pem.privateKey)}`, base64(pem.privateKey).slice(60, 120)],
    ["a kubeconfig's token", 'users:\n- user:\n    token: s3cr3tvalue', 's3cr3tvalue'],
    ['a password in YAML', '  password: "hunter two"', 'hunter'],
    ['a password in JSON', '{"user":"x","password":"hunter\\"two","next":1}', 'hunter'],
    ['a password in JSON in JSON', '{"log":"{\\"password\\":\\"hunter2\\"}"}', 'hunter2'],
    ['a password in an ini', 'db_password = hunter2', 'hunter2'],
    ['an environment variable', 'DB_PASSWORD=hunter2 HOME=/root', 'hunter2'],
    ['a flag with =', 'kubeadm join --certificate-key=aabbccdd1122 --v 5', 'aabbccdd1122'],
    ['a flag with a blank', 'kubeadm join --token hunter.two 1.2.3.4', 'hunter.two'],
    [
      'a certificate key',
      'certificateKey: e6a2eb8581237ab72a4f494f30285ec12a9694d750b9785706a83bfcbbbd2204',
      'e6a2eb85',
    ],
    ['an Authorization header', 'Authorization: Basic dXNlcjpwYXNz', 'dXNlcjpwYXNz'],
    ['a bearer token', '-H "Authorization: Bearer abcdefghijklmnopqrst"', 'abcdefghijklmnopqrst'],
    ['a JWT', 'got eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.c2lnbmF0dXJl back', 'c2lnbmF0dXJl'],
    ['a password in a URL', 'HTTPS_PROXY=http://me:hunter2@proxy:3128', 'hunter2'],
    ['a value that is known', 'he said open sesame', 'sesame'],
  ])('%s', (_, text, secret) => {
    expect(text).toContain(secret)
    expect(mask(text)).not.toContain(secret)
    expect(mask(text)).toContain('***')
  })
})

describe('what only looks a bit like one stays', () => {
  it.each([
    'automountServiceAccountToken: true',
    '--token-ttl 24h0m0s',
    'authorization:\n  mode: Webhook',
    'secretName: kube-proxy-token-volume',
    'image: registry.k8s.io/pause@sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0',
    `certificate-authority-data: ${base64(pem.publicKey)}`,
    pem.publicKey,
    '-A KUBE-SVC-ERIFXISQEP7F7OF4 ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p tcp -m tcp --dport 53 -j KUBE-MARK-MASQ',
    'containerd.service: Deactivated successfully.',
    'Nov 20 14:00:01 cp1 kubelet[812]: I1120 14:00:01.123456 812 kubelet.go:2501] "SyncLoop ADD" source="api"',
    'net.ipv4.tcp_fastopen_key = 00000000-00000000-00000000-00000000',
  ])('%s', (text) => expect(mask(text)).toBe(text))
})

describe('a mask', () => {
  it('goes through every string of a JSON value and leaves it JSON', () => {
    const text = maskedJson({ a: ['x open sesame'], b: { c: 'token: abcdef.0123456789abcdef', d: 3 } }, mask)
    expect(JSON.parse(text)).toEqual({ a: ['x ***'], b: { c: 'token: ***', d: 3 } })
  })

  it('takes a log of four megabytes in a moment', () => {
    const line =
      'Nov 20 14:00:01 cp1 kubelet[812]: I1120 14:00:01.123 812 reconciler.go:357] "attached" volume="kube-api-access" pod="kube-system/kube-proxy-abcde"\n'
    const spent = cpuSeconds(() => {
      mask(line.repeat(Math.ceil(4e6 / line.length)))
      mask('a'.repeat(1e6))
      mask('-'.repeat(1e6))
    })
    expect(spent).toBeLessThan(20)
  })
})
