import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { contentsText } from '../../src/collect/contents.ts'
import { readCollected } from '../../src/collect/files.ts'
import { collectScript } from '../../src/collect/script.ts'
import { maskOf } from '../../src/model/mask.ts'

const template = readFileSync('templates/collect.sh', 'utf8')
const mark = '@0123456789abcdef'
const mask = maskOf([])
const read = (out: string) => readCollected(out, mark, mask)
const told = (text: string) => gzipSync(text).toString('base64')

/** What the script tells when it is run for real, on this machine, by a POSIX shell. */
const run = (shell: string, script: string) =>
  execFileSync(shell, ['-s'], { input: script, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })

describe('what a host tells', () => {
  let out: string
  beforeAll(() => {
    out = run('dash', collectScript(template, mark))
  })

  it('comes whole, each answer under its name, with what is not there and why', () => {
    const { files, cut } = read(out)
    expect(cut).toBe(false)
    const byName = new Map(files.map((file) => [file.name, file]))
    expect(byName.get('system/uname')).toEqual({
      name: 'system/uname',
      text: execFileSync('uname', ['-a'], { encoding: 'utf8' }),
    })
    expect(byName.get('files/etc/os-release')?.text).toBe(readFileSync('/etc/os-release', 'utf8'))
    expect(byName.get('files/etc/kubernetes/kubelet.conf')).toEqual({
      name: 'files/etc/kubernetes/kubelet.conf',
      note: 'not there: no such file',
    })
    expect(files.length).toBe(byName.size)
    expect(files.filter(({ text, note }) => text === undefined && !note)).toEqual([])
  })

  it('is cut at the most that a host may tell, and says so', () => {
    const { files, cut } = read(run('dash', collectScript(template, mark).replace(/^MAX=.*/m, 'MAX=20000')))
    expect(cut).toBe(true)
    expect(files.at(-1)?.note).toContain('cut')
    expect(files.find(({ name }) => name === 'system/uname')?.note).toBeUndefined()
    expect(contentsText([{ host: 'w1', files: [], cut }])).toContain('more to tell')
  })

  it('holds no file of a private key, and asks for no Secret', () => {
    expect(template).not.toMatch(/pki|admin\.conf.*cat|get (secrets|all)/)
    expect(gunzipSync(Buffer.from(out, 'base64')).toString()).not.toContain('PRIVATE KEY')
  })
})

describe('an answer', () => {
  const section = (name: string, body: string) => `\n${mark} file ${name}\n${body}`
  const end = section('END', `${mark} absent -\n`)

  it('that was too long is its end, from the first whole line on: half a secret has no form', () => {
    const body = `6789abcdef is the rest of a token\nnext line\n\n${mark} status 0\n`
    expect(read(told(section('logs/kubelet', body) + end)).files).toEqual([
      { name: 'logs/kubelet', text: 'next line\n', note: 'cut: only its end is here' },
    ])
  })

  it('that broke off in the middle ends with its last whole line', () => {
    const { files, cut } = read(told(section('logs/kubelet', `${mark} whole\na line\ntoken abcdef.0123`)))
    expect(cut).toBe(true)
    expect(files[0]?.text).toBe('a line\n')
  })

  it.each([
    ['124', 'took too long'],
    ['1', 'ended with status 1'],
  ])('that ended with %s says %s', (status, note) => {
    const body = `${mark} whole\ntext\n\n${mark} status ${status}\n`
    expect(read(told(section('a', body) + end)).files).toEqual([{ name: 'a', text: 'text\n', note }])
  })

  it('stays within its directory, whatever the host calls it', () => {
    const body = `${mark} whole\nx\n\n${mark} status 0\n`
    expect(read(told(section('files/../../../etc/passwd', body) + end)).files[0]?.name).toBe('files/etc/passwd')
  })

  it('has its secrets masked', () => {
    const body = `${mark} whole\njoin --token abcdef.0123456789abcdef\n\n${mark} status 0\n`
    expect(read(told(section('a', body) + end)).files[0]?.text).not.toContain('0123456789abcdef')
  })
})
