import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { ImageAction, UploadAction } from '../model/action.ts'
import type { Reply } from '../model/fact.ts'
import type { Hands } from '../model/ports.ts'
import { type Sh, sh } from '../model/shell.ts'
import { type Item, journalLine } from './script.ts'

/** Where the bytes come from: the bundle room's archives, as the run needs them. */
export interface Store {
  /** One tar whose entries are named by the artifact's name. */
  files(names: readonly string[]): { size: number; stream: Readable }
  /** One OCI archive of the images with these references. */
  images(refs: readonly string[]): { size: number; stream: Readable }
}

export interface TransferOptions {
  readonly signal?: AbortSignal
  readonly onBytes?: (sent: number, total: number) => void
}

/** Bytes, and what takes them in on the host. */
interface Load {
  readonly archive: { size: number; stream: Readable }
  readonly work: readonly Sh[]
}

const loads = {
  /** Files in one tar, each of which is put in its place. */
  files(items: readonly Item[], store: Store): Load {
    const uploads = items.map(({ action }) => action as UploadAction)
    const work = [
      `incoming="$state/incoming"; rm -rf "$incoming"; mkdir "$incoming"; cd "$incoming"`,
      'tar -xf -',
      ...uploads.map(place),
      'cd /; rm -rf "$incoming"',
    ]
    return { archive: store.files(uploads.map(({ artifact }) => artifact)), work }
  },
  /** Images straight into containerd, each blob once, pinned against the kubelet's image clean-up. */
  images(items: readonly Item[], store: Store): Load {
    const work = ['ctr -n k8s.io images import --label io.cri-containerd.pinned=pinned - >/dev/null']
    return { archive: store.images(items.map(({ action }) => (action as ImageAction).ref)), work }
  },
}

/** Brings what the items ask for to a host in one stream, with every item in the journal first. */
export async function send(
  way: keyof typeof loads,
  hands: Hands,
  prelude: Sh,
  items: readonly Item[],
  store: Store,
  options: TransferOptions,
): Promise<Reply> {
  const { archive, work } = loads[way](items, store)
  try {
    const script = [prelude, 'set -e', 'take_over /run/k8snet/transfer.lock', ...items.map(journalLine), ...work]
    return await hands.send(script.join('\n'), archive.stream, {
      timeoutMs: 30 * 60_000,
      ...(options.signal && { signal: options.signal }),
      onBytes: (sent) => options.onBytes?.(sent, archive.size),
    })
  } finally {
    archive.stream.destroy()
    await finished(archive.stream).catch(() => undefined)
  }
}

function place({ artifact, path, mode, was, sha256 }: UploadAction): Sh {
  return [
    sh`mkdirs ${path}`,
    ...(was === 'foreign' ? [sh`keep_aside ${path}`] : []),
    sh`chmod ${mode} ${artifact}; chown 0:0 ${artifact}; mv -f ${artifact} ${path}`,
    sh`printf '%s %s\n' ${sha256} "$(stat -c '%s %Y %n' ${path})" >>"$state/artifacts"`,
  ].join('\n')
}
