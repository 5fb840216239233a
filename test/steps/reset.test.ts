import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { template } from '../../src/steps/template.ts'

const dump = `*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:FLANNEL-POSTRTG - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m comment --comment "mine -j KUBE-SERVICES" -j DOCKER
-A POSTROUTING -s 172.18.0.0/16 -j MASQUERADE
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -s 10.244.0.0/16 -j RETURN
-A KUBE-SERVICES -j KUBE-NODEPORTS
COMMIT
*filter
:INPUT DROP [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
`

describe('taking kubeadm back', () => {
  it("removes the chains of Kubernetes and flannel with the jumps to them, and no other rule of anybody's", () => {
    const ours = /^ours\(\) \{[\s\S]*?^\}/m.exec(template('reset.sh', { TABLES: '' }))![0]
    const { stdout } = spawnSync('sh', ['-c', `${ours}\nours`], { input: dump, encoding: 'utf8' })
    expect(stdout.trim().split('\n')).toEqual([
      '*nat',
      '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      '-D POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
      '-F FLANNEL-POSTRTG',
      '-F KUBE-SERVICES',
      '-X FLANNEL-POSTRTG',
      '-X KUBE-SERVICES',
      'COMMIT',
    ])
  })

  it('empties directories that were there with their mode, removes those that were not, and touches no other', () => {
    const dir = mkdtempSync(join(tmpdir(), 'k8snet-empty-'))
    try {
      for (const path of ['kept/a/.hidden', 'gone/b', 'gone/b/c', 'other/d'])
        mkdirSync(join(dir, path), { recursive: true })
      writeFileSync(join(dir, 'kept/..odd'), '')
      const script = template('empty.sh', {
        EMPTIED: `0711:${dir}/kept ${'0755'}:${dir}/never`,
        REMOVED: `${dir}/gone ${dir}/absent`,
      })
      const { status, stderr } = spawnSync('sh', ['-ec', script], { encoding: 'utf8' })
      expect([status, stderr]).toEqual([0, ''])
      expect(readdirSync(dir).toSorted()).toEqual(['kept', 'other'])
      expect(readdirSync(join(dir, 'kept'))).toEqual([])
      expect((statSync(join(dir, 'kept')).mode & 0o777).toString(8)).toBe('711')
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  it('refuses a hole without a value, and a value without a hole', () => {
    expect(() => template('reset.sh')).toThrow('@TABLES@')
    expect(() => template('crictl.yaml', { X: '' })).toThrow('@X@')
  })
})
