import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import type { VerifyReport } from '../../src/model/report.ts'
import { junitXml } from '../../src/view/junit.ts'
import { broken, full, healthy, hostile, large, meta } from './reports.ts'

/** What an XML reader that is not ours says. */
function xmllint(xml: string, ...options: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync('xmllint', [...options, '-'], { input: xml, encoding: 'utf8' })
  return { status, out: stdout, err: stderr }
}

const value = (xml: string, path: string): string => xmllint(xml, '--xpath', path).out.trim()

const reports: [string, VerifyReport][] = [
  ['of a healthy cluster', healthy()],
  ['of a broken cluster', broken()],
  ['of the full level', full()],
  ['of hostile words', hostile()],
  ['of 30 nodes', large(30, 'w7')],
  ['without a single check', { ok: true, ms: 0, checks: [] }],
  ['without causes', { ok: false, ms: 12, checks: broken().checks }],
]

describe('the JUnit report', () => {
  it.each(reports)('%s is valid by the schema of the common readers', (_, report) => {
    const { status, err } = xmllint(junitXml(report, meta), '--noout', '--schema', 'test/fixtures/junit.xsd')
    expect(err).toBe('- validates\n')
    expect(status).toBe(0)
  })

  it('is refused by that schema when something is not as it should be', () => {
    const xml = junitXml(broken(), meta).replace(' classname="k8snet.causes"', '')
    expect(xmllint(xml, '--noout', '--schema', 'test/fixtures/junit.xsd').status).toBe(3)
  })

  it.each(reports)('%s counts what it holds', (_, report) => {
    const xml = junitXml(report, meta)
    const [tests, failures] = [value(xml, 'count(//testcase)'), value(xml, 'count(//testcase/failure)')]
    expect([value(xml, 'string(/testsuites/@tests)'), value(xml, 'string(/testsuites/@failures)')]).toEqual([
      tests,
      failures,
    ])
    expect([value(xml, 'sum(//testsuite/@tests)'), value(xml, 'sum(//testsuite/@failures)')]).toEqual([tests, failures])
    expect(value(xml, 'sum(//testsuite/@skipped)')).toBe(value(xml, 'count(//testcase/skipped)'))
    expect(Number(failures) > 0).toBe(!report.ok)
  })

  it('has the causes first, and every failure names its own', () => {
    const xml = junitXml(broken(), meta)
    expect(value(xml, 'string(//testsuite[1]/@name)')).toBe('causes')
    expect(value(xml, 'string(//testcase[1]/@name)')).toBe('VTEP_MAC_DRIFT w2')
    const failure = '//testsuite[@name="pod-to-pod"]/testcase[@name="cp1 -> w2 udp"]/failure'
    expect(value(xml, `string(${failure}/@type)`)).toBe('POD_UNREACHABLE')
    expect(value(xml, `string(${failure}/@message)`)).toBe(
      'POD_UNREACHABLE: cp1 -> w2 udp, because of VTEP_MAC_DRIFT w2',
    )
    expect(value(xml, `string(${failure})`).split('\n')).toEqual([
      'udp 10.244.0.8 -> 10.244.2.9:8080: timeout (1502 ms)',
      'cause: VTEP_MAC_DRIFT w2: flannel.1 of w2 has the MAC address 5e:61:aa:02:9f:d4, flannel announced 8a:3c:5f:00:1e:12',
      expect.stringMatching(/^fix: Restart flannel on w2/),
    ])
  })

  it('counts a cause that breaks nothing yet as a test that passed, and one that will as failed', () => {
    const { causes = [], ...rest } = healthy()
    const [drift] = broken().causes ?? []
    const xml = junitXml({ ...rest, ok: false, causes: drift ? [...causes, { ...drift, explains: [] }] : [] }, meta)
    expect(value(xml, 'string(/testsuites/@failures)')).toBe('1')
    const warned = junitXml(broken(), meta)
    expect(value(warned, 'count(//testcase[@name="CERT_EXPIRING cp1"]/failure)')).toBe('0')
    expect(value(warned, 'string(//testcase[@name="CERT_EXPIRING cp1"]/system-out)')).toContain(
      'warning: CERT_EXPIRING',
    )
  })

  it('is never without a test, for readers take that as a failure', () => {
    const xml = junitXml({ ...healthy(), checks: [] }, meta)
    expect(value(xml, 'string(//testcase/@name)')).toBe('no known cause of trouble')
  })

  it('tells checks apart that have the same ends', () => {
    const one = { scenario: 'api' as const, from: 'a', to: 'b', outcome: 'passed' as const, ms: 1 }
    const xml = junitXml(
      {
        ok: true,
        ms: 1,
        checks: [
          { ...one, id: 'api/a/b' },
          { ...one, id: 'api/a/b/again' },
        ],
      },
      meta,
    )
    expect([value(xml, 'string(//testcase[1]/@name)'), value(xml, 'string(//testcase[2]/@name)')]).toEqual([
      'api/a/b',
      'api/a/b/again',
    ])
  })

  it('brings the words of hosts through as they are, and shows what XML cannot hold', () => {
    const xml = junitXml(hostile(), meta)
    const text = value(xml, 'string(//testsuite[@name="causes"]/testcase[1]/failure/@message)')
    expect(text).toContain(
      `</style><script>alert(1)</script><img src=http://192.0.2.1/x onerror=alert(1)><b class="evil">'"&amp;]]>␀␛[31m\ufffd`,
    )
  })

  it('says when it was made, and how long each check took, in the forms that the readers take', () => {
    const xml = junitXml(broken(), { ...meta, made: '2026-11-21T06:40:00.123Z' })
    expect(value(xml, 'string(//testsuite[1]/@timestamp)')).toBe('2026-11-21T06:40:00')
    expect(value(xml, 'string(//testcase[@name="cp1 -> w2 udp"]/@time)')).toBe('1.502')
  })

  it('carries notes, samples and what was not looked for', () => {
    const notes = value(junitXml(full(), meta), 'string(//testsuite[@name="notes"]/system-out)')
    expect(notes).toContain('traffic was tried between 800 of 9900 ordered pairs of nodes')
    expect(notes).toContain('NetworkPolicies are not enforced')
    expect(notes).toContain("not looked for: HOST_GW_NOT_ADJACENT: flannel's backend is vxlan")
  })
})
