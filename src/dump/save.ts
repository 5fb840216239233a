import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ClusterDump, dumpFormat, type NodeDump } from '../model/dump.ts'
import { exits, Failure } from '../model/trouble.ts'

/** cluster.json: the dump with the names of its nodes, each of which has a file of its own in nodes/. */
type Index = Omit<ClusterDump, 'nodes'> & { readonly nodes: readonly string[] }

/**
 * Writes DIR/cluster.json and DIR/nodes/NAME.json; makes the directory, and replaces what an older dump left of these files.
 * Throws a Failure: FILE_UNWRITABLE.
 */
export async function saveDump(dir: string, dump: ClusterDump): Promise<void> {
  const index: Index = { ...dump, nodes: dump.nodes.map(({ node }) => node) }
  try {
    await mkdir(join(dir, 'nodes'), { recursive: true })
    for (const node of dump.nodes) await writeFile(fileOf(dir, node.node), textOf(node))
    // last: a dump without it is not whole
    await writeFile(join(dir, 'cluster.json'), textOf(index))
  } catch (error) {
    throw new Failure(exits.badInput, {
      code: 'FILE_UNWRITABLE',
      message: `The dump cannot be saved: ${(error as Error).message}`,
      where: dir,
      fix: 'name a directory that can be written, on a disk with room',
    })
  }
}

/** Reads what {@link saveDump} wrote. Throws a Failure: DUMP_INVALID. */
export async function loadDump(dir: string): Promise<ClusterDump> {
  const file = join(dir, 'cluster.json')
  const index = (await read(file)) as Index
  if (index.format !== dumpFormat)
    throw invalid(
      file,
      `it has the form ${index.format ?? '(none)'}, and this version reads ${dumpFormat}`,
      index.k8snet
        ? `read it with k8snet ${index.k8snet}, or save a new one: k8snet verify INVENTORY --save DIR`
        : undefined,
    )
  if (!isTexts(index.nodes) || !Array.isArray(index.unread) || typeof index.made !== 'string')
    throw invalid(file, 'it has no nodes, or does not say when it was made')
  const nodes: NodeDump[] = []
  for (const name of index.nodes) {
    const path = fileOf(dir, name)
    const { node, parts, problems } = (await read(path)) as NodeDump
    if (node !== name || !isRecord(parts) || !isRecord(problems))
      throw invalid(path, `it is no dump of the node ${name}`)
    nodes.push({ node, parts, problems })
  }
  return { ...index, nodes }
}

const textOf = (it: unknown): string => `${JSON.stringify(it, null, 1)}\n`
const fileOf = (dir: string, node: string): string => join(dir, 'nodes', `${encodeURIComponent(node)}.json`)
const isTexts = (it: unknown): it is string[] => Array.isArray(it) && it.every((one) => typeof one === 'string')
const isRecord = (it: unknown): it is Record<string, string> =>
  typeof it === 'object' && it !== null && isTexts(Object.values(it))

async function read(path: string): Promise<object> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw invalid(path, (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(error))
  }
  try {
    const it: unknown = JSON.parse(text)
    if (typeof it === 'object' && it !== null && !Array.isArray(it)) return it
  } catch (error) {
    throw invalid(path, `it is no JSON: ${(error as Error).message}`)
  }
  throw invalid(path, 'it is no dump')
}

function invalid(path: string, why: string, fix?: string): Failure {
  return new Failure(exits.badInput, {
    code: 'DUMP_INVALID',
    message: `The saved dump cannot be read: ${why}.`,
    where: path,
    fix: fix ?? 'name the directory that `k8snet verify INVENTORY --save DIR` wrote, whole and unchanged',
  })
}
