import { gunzipSync } from 'node:zlib'
import type { NodeDump } from '../model/dump.ts'
import { isNftSave } from './netfilter/iptables.ts'

/** What a node may tell at most, in bytes. */
const mostBytes = 64 * 1024 * 1024

/** Parts that are JSON: one that is none counts as not read. */
const json = /^(links|ports|nft|pod\/\d+\/links)$/

const podTable = /^pod\/\d+\/(routes|neighbours)$/

/**
 * Reads what templates/dump.sh printed: base64 of gzip of sections. Throws an Error that says why where it is not whole; a part
 * that could not be read is no error but stands in `problems`.
 */
export function readNodeDump(node: string, out: string, mark: string): NodeDump {
  const [, ...sections] = textOf(out).split(`\n${mark} `)
  if (!sections.at(-1)?.startsWith('part END')) throw new Error('its answer broke off')
  const parts: Record<string, string> = {}
  const problems: Record<string, string> = {}
  for (const section of sections.slice(0, -1)) {
    const at = section.indexOf('\n')
    const [kind, name = '', ...rest] = section.slice(0, at < 0 ? undefined : at).split(' ')
    const text = at < 0 ? '' : section.slice(at + 1)
    if (kind === 'problem') {
      problems[name] = rest.join(' ')
      delete parts[name]
    } else if (json.test(name) && !isJson(text)) problems[name] = `it is no JSON: ${text.slice(0, 60)}`
    else if (name.startsWith('cni-conf/')) parts[name] = withoutSecrets(text)
    // iproute2 ends many lines with a blank
    else parts[name] = podTable.test(name) ? text.replace(/ +$/gm, '') : text
  }
  if (parts.nft && parts['iptables-save']) parts.nft = withoutTwice(parts.nft, parts['iptables-save'])
  return { node, parts, problems }
}

function textOf(out: string): string {
  try {
    return gunzipSync(Buffer.from(out, 'base64'), { maxOutputLength: mostBytes }).toString('utf8')
  } catch (error) {
    throw new Error(`its answer cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text.trim() || '[]')
    return true
  } catch {
    return false
  }
}

/** Some network providers put a token into their CNI configuration. */
function withoutSecrets(text: string): string {
  return text.replace(/("[^"]*(?:token|password|secret|private_?key|psk)[^"]*"\s*:\s*)"(?:[^"\\]|\\.)*"/gi, '$1"***"')
}

/** What nft lists, without the tables of iptables that iptables-save lists in full: most of it, and of no use a second time. */
function withoutTwice(nft: string, saved: string): string {
  if (!isNftSave(saved)) return nft
  const tables = new Set([...saved.matchAll(/^\*(\S+)$/gm)].map(([, name]) => name))
  const { nftables = [], ...rest } = JSON.parse(nft.trim() || '{}') as { nftables?: Listed[] }
  const left = nftables.filter((entry) =>
    Object.entries(entry).every(
      ([kind, { family, table, name }]) => !(family === 'ip' && tables.has(kind === 'table' ? name : table)),
    ),
  )
  return `${JSON.stringify({ ...rest, nftables: left })}\n`
}

/** One entry of `nft -j list ruleset`: { "rule": { "family": "ip", "table": "nat", … } } */
type Listed = Readonly<Record<string, { readonly family?: string; readonly table?: string; readonly name?: string }>>
