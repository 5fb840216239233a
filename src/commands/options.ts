import { Command, Option } from 'commander'

/** The options that every command has. */
export interface CommonOptions {
  output: 'text' | 'json'
  quiet?: boolean
  only?: string[]
}

/** A command on an inventory, with the options that all of these share. */
export function inventoryCommand(name: string, description: string, example: string): Command {
  return common(
    new Command(name).description(description).argument('<inventory>', 'the inventory file'),
    example,
  ).option('--only <hosts>', 'only these hosts, by name, separated by commas', (text: string) =>
    text.split(',').map((host) => host.trim()),
  )
}

/** Adds what every command has. */
export function common(command: Command, ...examples: string[]): Command {
  return command
    .addOption(new Option('-o, --output <form>', 'how to print the result').choices(['text', 'json']).default('text'))
    .option('--no-color', 'no colours (also by NO_COLOR)')
    .option('-q, --quiet', 'no progress')
    .addHelpText(
      'after',
      `\n${examples.length === 1 ? 'Example' : 'Examples'}:\n${examples.map((line) => `  ${line}`).join('\n')}`,
    )
}
