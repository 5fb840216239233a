import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { OpenDump } from './healthy.ts'

/**
 * Dumps of real clusters that were well, of three nodes and of two, each with its first twenty connections. A copy of its own
 * each time. `bridge`: plain bridge and host-local, static routes in place of flannel, and a Service without endpoints.
 * `six-first`: two families with IPv6 first, flannel's vxlan for both.
 */
export function recordedDump(name: 'bridge' | 'six-first'): OpenDump {
  return JSON.parse(gunzipSync(readFileSync(new URL(`../fixtures/dumps/${name}.json.gz`, import.meta.url))).toString())
}
