import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { nearest } from '../model/nearest.ts'
import type { Playbook } from '../model/plan.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { readYaml } from './places.ts'

const schema = z.strictObject({
  stages: z.array(
    z.strictObject({
      name: z.string().min(1),
      title: z.string().min(1),
      hosts: z.enum(['all', 'leader', 'others']),
      after: z.array(z.string()).default([]),
      steps: z.array(z.string()),
    }),
  ),
})

/** Reads playbooks/NAME.yaml of the package. `known` are the names of the steps. Failure (exit 2) as {@link parsePlaybook}. */
export function readPlaybook(name: string, known: readonly string[]): Playbook {
  const file = fileURLToPath(new URL(`../../playbooks/${name}.yaml`, import.meta.url))
  if (!/^[a-z][a-z0-9-]*$/.test(name) || !existsSync(file)) {
    throw new Failure(exits.badInput, { code: 'FILE_NOT_FOUND', message: `there is no playbook ${name}`, where: file })
  }
  return parsePlaybook(`playbooks/${name}.yaml`, readFileSync(file, 'utf8'), known)
}

/**
 * Reads the text of a playbook. Failure (exit 2) with every fault: VALUE_TYPE, NAME_DUPLICATE, and STEP_UNKNOWN for a step that
 * does not exist or an `after` that names no stage above it (so that stages cannot wait for each other).
 */
export function parsePlaybook(file: string, text: string, known: readonly string[]): Playbook {
  const yaml = readYaml(file, text)
  const parsed = schema.safeParse(yaml.value)
  if (!parsed.success) {
    throw new Failure(
      exits.badInput,
      parsed.error.issues.map(
        (issue): Trouble => ({
          code: 'VALUE_TYPE',
          message: `${issue.path.join('.')}: ${issue.message}`,
          where: yaml.at(issue.path),
        }),
      ),
    )
  }
  const { stages } = parsed.data
  const faults = stages.flatMap((stage, i): Trouble[] => {
    const above = stages.slice(0, i)
    const waits = above.flatMap((s) => [
      s.name,
      ...(s.hosts === 'others' ? [] : [`leader.${s.name}`]),
      ...(s.hosts === 'leader' ? [] : [`others.${s.name}`]),
    ])
    const unknown = (word: string, words: readonly string[], message: string, path: PropertyKey[]): Trouble[] => {
      const guess = nearest(word, words)
      return words.includes(word)
        ? []
        : [{ code: 'STEP_UNKNOWN', message, where: yaml.at(path), ...(guess ? { fix: `did you mean ${guess}?` } : {}) }]
    }
    return [
      ...(above.some((s) => s.name === stage.name)
        ? [
            {
              code: 'NAME_DUPLICATE',
              message: `two stages have the name ${stage.name}`,
              where: yaml.at(['stages', i, 'name']),
            } as const,
          ]
        : []),
      ...stage.after.flatMap((after, j) =>
        unknown(after, waits, `${stage.name} waits for ${after}, which is no stage above it`, [
          'stages',
          i,
          'after',
          j,
        ]),
      ),
      ...stage.steps.flatMap((step, j) => unknown(step, known, `${step} is no step`, ['stages', i, 'steps', j])),
    ]
  })
  if (faults.length > 0) throw new Failure(exits.badInput, faults)
  return parsed.data
}
