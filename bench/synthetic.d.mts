import type { ClusterDump } from '../src/model/dump.ts'

export function synthetic(count: number): ClusterDump
