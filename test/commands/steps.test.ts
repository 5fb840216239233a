import { describe, expect, it } from 'vitest'
import type { CommandIo } from '../../src/commands/io.ts'
import { stepsCommand } from '../../src/commands/steps.ts'
import { steps } from '../../src/steps/index.ts'

/** What `k8snet steps ARGS` prints. */
async function list(...args: string[]): Promise<string> {
  const said: string[] = []
  const io = { out: (text: string) => void said.push(text) } as CommandIo
  await stepsCommand(io).parseAsync(args, { from: 'user' })
  return said.join('')
}

describe('k8snet steps', () => {
  it('has every step of src/steps once, in the order of the playbook', async () => {
    const { steps: all } = JSON.parse(await list('-o', 'json')) as { steps: { name: string; title: string }[] }
    expect(all.map(({ name }) => name).sort()).toEqual(Object.keys(steps).sort())
    expect(all.findIndex(({ name }) => name === 'kubeadm-init')).toBeLessThan(
      all.findIndex(({ name }) => name === 'kubeadm-join'),
    )
    for (const { name, title } of all) expect(title).toBe(steps[name as keyof typeof steps].title)
  })

  it('says where a step runs and after what', async () => {
    const { steps: all } = JSON.parse(await list('-o', 'json')) as { steps: { name: string }[] }
    expect(all.find(({ name }) => name === 'kubeadm-join')).toEqual({
      name: 'kubeadm-join',
      title: steps['kubeadm-join'].title,
      stage: 'join',
      hosts: 'others',
      after: expect.arrayContaining(['leader.init']),
    })
  })

  it('is a table for people', async () => {
    const lines = (await list()).trim().split('\n')
    expect(lines[0]).toMatch(/^STAGE +STEP +HOSTS +AFTER +WHAT IS TRUE AFTERWARDS$/)
    expect(lines.find((line) => line.includes('kubeadm-join'))).toMatch(
      /^join +kubeadm-join +others +\S.*leader\.init +The host has joined/,
    )
    expect(lines).toHaveLength(Object.keys(steps).length + 1)
  })
})
