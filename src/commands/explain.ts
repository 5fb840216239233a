import { Command } from 'commander'
import { codes } from '../model/codes.ts'
import { exits, Failure } from '../model/trouble.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, common } from './options.ts'

/** `k8snet explain`: what a code means; without one, all of them. */
export function explainCommand(io: CommandIo): Command {
  return common(
    new Command('explain').description('What an error code means; all of them without one.').argument('[code]'),
    'k8snet explain HOSTKEY_CHANGED',
  ).action((code: string | undefined, { output }: CommonOptions) => {
    const chosen = Object.entries(codes).filter(([name]) => code === undefined || name === code.toUpperCase())
    if (chosen.length === 0)
      throw new Failure(exits.badInput, {
        code: 'USAGE',
        message: `no code ${code}`,
        fix: 'k8snet explain lists them all',
      })
    io.out(
      output === 'json'
        ? `${JSON.stringify(Object.fromEntries(chosen), null, 2)}\n`
        : chosen.map(([name, text]) => `${name}: ${text}\n`).join(''),
    )
  })
}
