import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { saveFile } from '../../src/commands/save-file.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'k8snet-save-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

describe('a file that is saved', () => {
  it('can be read by its owner alone', async () => {
    await saveFile(join(dir, 'new'), 'text', 'it')
    expect([readFileSync(join(dir, 'new'), 'utf8'), mode(join(dir, 'new')), readdirSync(dir)]).toEqual([
      'text',
      '600',
      ['new'],
    ])
  })

  it('takes the place of one that anybody could read', async () => {
    writeFileSync(join(dir, 'old'), 'longer than before')
    chmodSync(join(dir, 'old'), 0o644)
    await saveFile(join(dir, 'old'), 'text', 'it')
    expect([readFileSync(join(dir, 'old'), 'utf8'), mode(join(dir, 'old'))]).toEqual(['text', '600'])
  })

  it('goes where a link of that name leads, and the link stays', async () => {
    writeFileSync(join(dir, 'real'), '')
    symlinkSync('real', join(dir, 'link'))
    await saveFile(join(dir, 'link'), 'text', 'it')
    expect([lstatSync(join(dir, 'link')).isSymbolicLink(), readFileSync(join(dir, 'real'), 'utf8')]).toEqual([
      true,
      'text',
    ])
  })

  it.each([
    ['in a directory that is not there', 'none/file', /ENOENT/],
    ['in the place of a directory', '.', /no file/],
  ])('%s is refused, and nothing stays', async (_, name, message) => {
    const path = join(dir, name)
    const troubles = [{ code: 'FILE_UNWRITABLE', message: expect.stringMatching(message), where: path }]
    await expect(saveFile(path, 'text', 'it')).rejects.toMatchObject({ exit: 2, troubles })
    expect(readdirSync(dir)).toEqual([])
  })
})
