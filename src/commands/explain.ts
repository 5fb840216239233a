import { Command } from 'commander'
import { causes } from '../causes/index.ts'
import { type Code, codes } from '../model/codes.ts'
import { kindOf, remedies } from '../model/remedies.ts'
import { exits, Failure } from '../model/trouble.ts'
import { fixes } from '../verify/fixes.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, common } from './options.ts'

/** `k8snet explain`: what a code means, what to do, and which exit code it comes with; without one, all of them. */
export function explainCommand(io: CommandIo): Command {
  return common(
    new Command('explain')
      .description('What an error code means and what to do about it; all of them without one.')
      .argument('[code]', 'the code')
      .option('--markdown', 'all of them as a page of Markdown'),
    'k8snet explain HOSTKEY_CHANGED',
  ).action((code: string | undefined, { output, markdown }: CommonOptions & { markdown?: boolean }) => {
    const chosen = explained().filter(({ name }) => code === undefined || name === code.toUpperCase())
    if (chosen.length === 0)
      throw new Failure(exits.badInput, {
        code: 'USAGE',
        message: `no code ${code}`,
        fix: 'k8snet explain lists them all',
      })
    if (markdown) io.out(codesPage())
    else if (output === 'json')
      io.out(
        `${JSON.stringify(Object.fromEntries(chosen.map(({ name, kind: _, ...rest }) => [name, rest])), null, 2)}\n`,
      )
    else io.out(chosen.map(code === undefined ? line : paragraph).join(''))
  })
}

interface Explained {
  readonly name: Code
  readonly meaning: string
  /** Of a cause of a broken network: why that breaks what it breaks, and the command that shows it. */
  readonly because?: string
  readonly shows?: string
  readonly fix: string
  readonly exits: readonly number[]
  readonly kind: string
}

/** Every code with all that is known of it. */
export function explained(): Explained[] {
  return (Object.entries(codes) as [Code, string][]).map(([name, meaning]) => {
    const { title, exits } = kindOf(name)
    const cause = causes.find(({ code }) => code === name)
    return {
      name,
      meaning,
      ...(cause && { because: cause.because, shows: cause.shows }),
      fix: cause?.fix ?? remedies[name] ?? fixes[name] ?? '',
      exits,
      kind: title,
    }
  })
}

const line = ({ name, meaning }: Explained): string => `${name}: ${meaning}\n`
const paragraph = ({ name, meaning, because, shows, fix, exits }: Explained): string =>
  [
    `${name}: ${meaning}`,
    ...(because ? [`  ${because}`] : []),
    ...(shows ? [`  shown by: ${shows}`] : []),
    `  fix: ${fix}`,
    `  exit code: ${exits.join(' or ')}`,
    '',
  ].join('\n')

/** docs/codes.md. */
export function codesPage(): string {
  const all = explained()
  const cell = (text: string) => text.replaceAll('|', '\\|').replace(/[<>]/g, '\\$&')
  const row = ({ name, meaning, because, shows, fix, exits }: Explained) => {
    const what = [meaning, because, shows && `Shown by \`${shows}\`.`].filter(Boolean).join(' ')
    return `| \`${name}\` | ${cell(what)} | ${cell(fix)} | ${exits.join(', ')} |\n`
  }
  const sections = [...new Set(all.map(({ kind }) => kind))].map((title) => {
    const rows = all.filter(({ kind }) => kind === title)
    return `## ${title}

| code | meaning | what to do | exit |
|---|---|---|---|
${rows.map(row).join('')}`
  })
  return `# Codes

Every error, trouble of the preflight and failed check has a code. \`k8snet explain CODE\` says the same as this page, which is
made by \`k8snet explain --markdown >docs/codes.md\`. An error's own \`fix\` knows the case and comes first; what stands here is
what to do in general. Where two exit codes are named, the second is that of a run whose other hosts went on.

${sections.join('\n')}`
}
