import type { Artifact } from '../model/bundle.ts'
import type { Mirrors } from './mirrors.ts'
import type { OnProgress } from './progress.ts'
import type { Arch, Producer } from './versions.ts'

export interface CreateOptions {
  readonly dir: string
  readonly from: Producer
  readonly kubernetes: string
  readonly arch: Arch
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where to fetch instead: addresses by the beginning they stand in for. */
  readonly mirrors?: Mirrors
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** Fills `dir` with files and blobs and says what they are. */
export type Make = (order: CreateOptions & { readonly cache: string }) => Promise<Artifact[]>
