import { type Argument, Command, type Option } from 'commander'
import { codes } from '../model/codes.ts'
import { exits, Failure } from '../model/trouble.ts'
import { type Flag, shells, type Values, type Verb } from '../view/completion.ts'
import type { CommandIo } from './io.ts'

/** `k8snet completion`: a shell's completion script, made from the commands themselves. `others` are all other verbs. */
export function completionCommand(io: CommandIo, others: readonly Command[]): Command {
  const own = new Command('completion')
  return own
    .description('Prints the completion script of a shell: verbs, options, files, codes.')
    .addArgument(own.createArgument('<shell>', 'the shell').choices(Object.keys(shells)))
    .addHelpText(
      'after',
      `
Examples:
  k8snet completion bash >/etc/bash_completion.d/k8snet
  k8snet completion zsh >"\${fpath[1]}/_k8snet"
  k8snet completion fish >~/.config/fish/completions/k8snet.fish`,
    )
    .action((name: string) => {
      const script = shells[name as keyof typeof shells]
      if (!script) throw new Failure(exits.badInput, { code: 'USAGE', message: `no shell ${name}` })
      const root = new Command('k8snet').option('-V, --version', 'the version')
      io.out(script(verbsOf([...others, own].reduce((all, command) => all.addCommand(command), root))))
    })
}

/** A command and all below it, each with its way from the top: `k8snet lab up`. */
function verbsOf(command: Command, above = ''): Verb[] {
  const path = `${above}${command.name()}`
  const [argument] = command.registeredArguments
  const flags = command.options.filter(({ hidden }) => !hidden).map(flagOf)
  const own: Verb = {
    path,
    about: command.description(),
    flags: [...flags, { names: ['-h', '--help'], about: 'help' }],
    subs: command.commands.map((sub) => ({ name: sub.name(), about: sub.description() })),
    ...(argument && { argument: { name: argument.name(), values: valuesOf(argument.name(), argument) } }),
  }
  return [own, ...command.commands.flatMap((sub) => verbsOf(sub, `${path} `))]
}

function flagOf(option: Option): Flag {
  const names = [option.short, option.long].filter((name) => name !== undefined)
  const word = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1]
  return { names, about: option.description, ...(word !== undefined && { values: valuesOf(word, option) }) }
}

/** What may stand there, by its choices or by what its placeholder is called. */
function valuesOf(word: string, { argChoices }: Pick<Argument | Option, 'argChoices'>): Values {
  if (argChoices) return argChoices
  if (word === 'code') return Object.keys(codes)
  if (word === 'file' || word === 'inventory') return 'file'
  return word === 'directory' ? 'directory' : 'text'
}
