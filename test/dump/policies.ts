import { readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'
import { addLine, editJson, type OpenDump } from './healthy.ts'

export type Mode = 'iptables' | 'nftables'

/**
 * The dump of a real cluster of cp1, w1 and w2 that was well, with kube-proxy and portmap both in the mode that is named; a copy
 * of its own each time. In the namespace fixture: the DaemonSet `web` with hostPorts tcp and udp 18080, and tcp 18081 of
 * 127.0.0.1; the pod `only` on w1; the Services `edge` (NodePort 30081, externalTrafficPolicy Local, of web), `one` (NodePort
 * 30082, both policies Local, of only) and `inner` (internalTrafficPolicy Local, of web).
 */
export function policies(mode: Mode): OpenDump {
  const packed = readFileSync(new URL(`../fixtures/dumps/policies-${mode}.json.br`, import.meta.url))
  return JSON.parse(brotliDecompressSync(packed).toString()) as OpenDump
}

/** Changes the rules of the chains of nftables whose name begins so. */
// biome-ignore lint/suspicious/noExplicitAny: it is whatever nft printed
export function editChain(dump: OpenDump, node: string, name: string, edit: (rules: any[]) => any[]): void {
  editJson(dump, node, 'nft', (json) => {
    const is = (one: { rule?: { chain: string } }) => one.rule?.chain.startsWith(name) ?? false
    const rules = json.nftables.filter(is)
    json.nftables = [...json.nftables.filter((one: { rule?: { chain: string } }) => !is(one)), ...edit(rules)]
  })
}

/** Puts a rule of the table nat before all others of its chain. */
export function first(dump: OpenDump, node: string, rule: string): void {
  addLine(dump, node, 'iptables-save', `[0:0] ${rule}`, `-A ${rule.split(' ')[1]} `)
}
