import { readFile } from 'node:fs/promises'
import { fileArchive, imageArchive } from '../bundle/archive.ts'
import type { FileArtifact, ImageArtifact } from '../model/bundle.ts'
import type { Emit } from '../model/event.ts'
import type { Means } from '../run/task.ts'
import { windowOf } from '../run/window.ts'
import type { CommandIo } from './io.ts'
import { maskFor } from './masking.ts'
import type { Prepared } from './session.ts'

/** Uploads go to this many hosts at once: more only share the same wire. */
const uploadsAtOnce = 5

/** What a run needs from this machine: the prelude of its scripts, and the bundle's bytes. */
export async function meansFor(io: CommandIo, { inventory, bundle, sites }: Prepared, emit: Emit): Promise<Means> {
  const dir = inventory.source.bundle
  return {
    prelude: await prelude(),
    store: {
      files: (names) =>
        fileArchive(
          dir,
          bundle.artifacts.filter((it): it is FileArtifact => it.kind !== 'image' && names.includes(it.name)),
        ),
      images: (refs) =>
        imageArchive(
          dir,
          bundle.artifacts.filter((it): it is ImageArtifact => it.kind === 'image' && refs.includes(it.name)),
        ),
    },
    uploads: windowOf(uploadsAtOnce),
    emit,
    signal: io.signal,
    mask: await maskFor(io, inventory, sites[0]!.token),
  }
}

/** The shell functions that compiled actions use. */
export function prelude(): Promise<string> {
  return readFile(new URL('../../templates/prelude.sh', import.meta.url), 'utf8')
}
