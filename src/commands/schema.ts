import { Command } from 'commander'
import { inventorySchema } from '../read/schema.ts'
import type { CommandIo } from './io.ts'

/** `k8snet schema`: the inventory's JSON Schema, from the same source as the checks. */
export function schemaCommand(io: CommandIo): Command {
  return new Command('schema')
    .description("Prints the inventory's JSON Schema, for editors.")
    .action(() => io.out(`${JSON.stringify(inventorySchema(), null, 2)}\n`))
}
