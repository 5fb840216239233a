import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { apt } from '../../src/model/packages.ts'
import { questionsOf } from '../../src/plan/gather.ts'
import { guards } from '../../src/steps/guards/index.ts'
import { steps } from '../../src/steps/index.ts'
import { siteOf } from '../steps/scene.ts'

const all = questionsOf(
  ['cp1', 'w1'].flatMap((name) =>
    [...Object.values(steps), ...Object.values(guards)].map((it) => it.asks(siteOf(name))),
  ),
)
const dir = mkdtempSync(join(tmpdir(), 'k8snet-asks-'))
afterAll(() => rmSync(dir, { recursive: true }))

describe('what hosts are asked', () => {
  it.each(['sh', 'dash', 'busybox sh'])('is a script to %s, every question of it', (shell) => {
    const [program = '', ...args] = shell.split(' ')
    for (const { ask } of all) {
      const { status, stderr } = spawnSync(program, [...args, '-n'], { input: `( ${ask}\n)`, encoding: 'utf8' })
      expect([ask, status, stderr]).toEqual([ask, 0, ''])
    }
  })

  it('passes shellcheck, and so do the templates', () => {
    const scripts = all.map(({ ask }, i) => {
      const path = join(dir, `${i}.sh`)
      writeFileSync(path, `${ask}\n`)
      return path
    })
    const templates = readdirSync('templates')
      .filter((name) => name.endsWith('.sh'))
      .map((name) => `templates/${name}`)
    expect(templates).toContain('templates/reset.sh')
    // 2329: a function that is called later, 2016: an expression that is awk's
    const checked = spawnSync('shellcheck', ['-s', 'sh', '-e', 'SC2329,SC2016', ...scripts, ...templates], {
      encoding: 'utf8',
    })
    expect([checked.error, checked.status, checked.stdout]).toEqual([undefined, 0, ''])
    // it runs in a container that has bash, never on a host
    const bash = spawnSync('shellcheck', ['-s', 'bash', 'templates/probe-agnhost.bash'], { encoding: 'utf8' })
    expect([bash.error, bash.status, bash.stdout]).toEqual([undefined, 0, ''])
  })

  it('is answered by this machine, which is no cluster, with answers that can be read', () => {
    for (const fact of all) {
      const { status, stdout, stderr } = spawnSync('sh', ['-s'], { input: `( ${fact.ask}\n)`, encoding: 'utf8' })
      expect([fact.ask, status, stderr]).toEqual([fact.ask, 0, expect.any(String)])
      expect(() => fact.parse(stdout)).not.toThrow()
    }
  })

  it('only looks: no question writes, removes, loads or starts anything', () => {
    // what apt writes goes to a directory of its own, which the same shell removes
    const text = all.map(({ ask }) => ask.replace(apt, '')).join('\n')
    const changes =
      /(?:^|[;&|({]\s*|then |do )(rm|mv|cp|mkdir|touch|tee|modprobe|kill|install|ip link (add|del|set)|systemctl (start|stop|restart|enable|mask))\b.*/gm
    expect(text.match(changes) ?? []).toEqual([])
    const redirections = [...text.matchAll(/(?<![<\d&])\d?>(?!=)\s*("?[^\s")]*)/g)].map(([, to]) => to)
    expect(redirections.filter((to) => !/^("?\/dev\/(null|tcp\/.*)|&\d)$/.test(to ?? ''))).toEqual([])
  })
})
