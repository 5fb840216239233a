import { Command, Option } from 'commander'
import { accessOptions } from './access.ts'
import { parseDuration } from './limit.ts'

/** The options that every command has. */
export interface CommonOptions {
  output: 'text' | 'json'
  quiet?: boolean
  verbose?: boolean
  /** Milliseconds for the whole command; cli.ts keeps the time. */
  timeout?: number
  only?: string[]
}

/** What a command says otherwise than the others. */
interface Otherwise {
  /** How the inventory is named: `[inventory]` where it may be left out. */
  readonly argument?: string
  /** In which forms it can print its result; text and json. */
  readonly forms?: readonly string[]
}

/** A command on an inventory, with the options that all of these share. */
export function inventoryCommand(
  name: string,
  description: string,
  examples: string | readonly string[],
  { argument = '<inventory>', forms }: Otherwise = {},
): Command {
  const command = common(
    new Command(name).description(description).argument(argument, 'the inventory file'),
    examples,
    forms,
  )
  return accessOptions(command).option(
    '--only <hosts>',
    'only these hosts, by name, separated by commas',
    (text: string) => text.split(',').map((host) => host.trim()),
  )
}

/** Adds what every command has. */
export function common(
  command: Command,
  examples: string | readonly string[],
  forms: readonly string[] = ['text', 'json'],
): Command {
  const lines = [examples].flat()
  return command
    .addOption(new Option('-o, --output <form>', 'how to print the result').choices(forms).default('text'))
    .option('--no-color', 'no colours (also by NO_COLOR)')
    .option('-q, --quiet', 'no progress')
    .option('-v, --verbose', 'more on stderr: every action and connection, in lines')
    .option('--timeout <time>', 'stop when the whole takes longer: 30s, 10m, 1h', parseDuration)
    .addHelpText(
      'after',
      `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.map((line) => `  ${line}`).join('\n')}`,
    )
}
