import { expect, it } from 'vitest'
import { diffText } from '../../src/view/dump-diff.ts'

const long = `10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink ${'x'.repeat(60)}`
const rows = [
  { node: '', what: 'pod default/web', was: '', is: 'w1 10.244.1.7' },
  { node: 'w1', what: 'link flannel.1 mac', was: '8a:3c:5f:00:1e:11', is: '5e:61:aa:02:9f:d4' },
  { node: 'w1', what: 'rule in nft ip filter FORWARD: -j FLANNEL-FWD', was: 'there', is: '' },
  { node: 'w1', what: 'sysctl net.ipv4.ip_forward', was: '1', is: '0' },
  { node: 'w2', what: 'sysctl net.ipv4.ip_forward', was: '1', is: '0' },
  { node: 'w2', what: 'route 10.244.0.0/24 table main', was: long, is: '10.244.0.0/24 via 192.168.56.1 dev eth0' },
]

it('tells what went, what came and what has another value, once for all nodes where it is the same', () => {
  expect(diffText(rows)).toBe(`cluster: 1 difference
  + pod default/web: w1 10.244.1.7

w1: 2 differences
  ~ link flannel.1 mac: 8a:3c:5f:00:1e:11 -> 5e:61:aa:02:9f:d4
  - rule in nft ip filter FORWARD: -j FLANNEL-FWD

w1, w2: 1 difference
  ~ sysctl net.ipv4.ip_forward: 1 -> 0

w2: 1 difference
  ~ route 10.244.0.0/24 table main
      - ${long}
      + 10.244.0.0/24 via 192.168.56.1 dev eth0

6 differences in all.
`)
})

it('says so when nothing changed', () => expect(diffText([])).toBe('Nothing changed.\n'))

it('stays short where a thousand nodes changed in the same way, and where one changed in a thousand', () => {
  const nodes = Array.from({ length: 1000 }, (_, i) => ({ node: `w${i}`, what: 'kubelet', was: 'running', is: '' }))
  expect(diffText(nodes)).toBe(
    'w0, w1, w2, w3, w4, w5, w6, w7 and 992 more: 1 difference\n  - kubelet: running\n\n1000 differences in all.\n',
  )
  const rules = Array.from({ length: 1000 }, (_, i) => ({ node: 'w1', what: `rule ${i}`, was: '', is: 'there' }))
  expect(diffText(rules).split('\n')).toHaveLength(65)
  expect(diffText(rules)).toContain('  and 940 more; -o json has them all\n')
})

it('has colours only where they are wanted', () => {
  expect(diffText(rows)).not.toContain('\u001b')
  expect(diffText(rows, true)).toContain('\u001b[31m1\u001b[39m -> \u001b[32m0\u001b[39m')
})
