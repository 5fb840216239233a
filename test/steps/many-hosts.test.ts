import { describe, expect, it } from 'vitest'
import { paths } from '../../src/facts/files.ts'
import type { Inventory } from '../../src/model/inventory.ts'
import type { Site } from '../../src/model/step.ts'
import { hostsFile } from '../../src/steps/hosts-file.ts'
import { cpuSeconds } from '../helpers/cpu.ts'

const hosts = Array.from({ length: 1000 }, (_, i) => ({ name: `h${i}`, nodeIP: `10.0.${i >> 8}.${i & 255}` }))
const inventory = { hosts } as unknown as Inventory
const block = hosts.map(({ name, nodeIP }) => `${nodeIP} ${name}\n`).join('')

function editsFor(content: string) {
  const files = new Map([[paths.hosts, { content, mode: '0644', owner: 'root:root' }]])
  const [action] = hostsFile.plan({ files }, { inventory } as Site)
  return action?.kind === 'line' ? action.edits : []
}

describe('/etc/hosts in a cluster of a thousand', () => {
  it.each([
    ['all lines after others', `127.0.0.1 localhost\n${block}`, 0],
    ['all lines at the top', `${block}127.0.0.1 localhost\n`, 0],
    ['all lines in another order', `${block.split('\n').reverse().join('\n')}\n`, 0],
    ['names beside other names', block.replaceAll(/(h\d+)$/gm, 'other $1'), 0],
    ['one line missing in the middle', block.replace('10.0.1.0 h256\n', ''), 1],
    ['a block that begins in the middle of a line', `1${block}`, 2],
    ['a stranger before the block', `127.0.1.1 h7\n${block}`, 1],
    ['a stranger after the block', `${block}127.0.1.1 h7\n`, 1],
    ['nothing', '', 1000],
  ])('%s', (_, content, edits) => {
    expect(editsFor(content)).toHaveLength(edits)
  })

  it('costs about a line a host', () => {
    const spent = cpuSeconds(() => {
      for (let i = 0; i < 100; i += 1) editsFor(`127.0.1.1 machine-${i}\n${block}`)
    })
    expect(spent).toBeLessThan(1)
  })
})
