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

/** Brings files to a host in one stream and puts each in its place. */
export function sendFiles(
  hands: Hands,
  prelude: Sh,
  items: readonly Item[],
  store: Store,
  options: TransferOptions,
): Promise<Reply> {
  const uploads = items.map(({ action }) => action as UploadAction)
  const unpack = [
    `incoming="$state/incoming"; rm -rf "$incoming"; mkdir "$incoming"; cd "$incoming"`,
    'tar -xf -',
    ...uploads.map(place),
    'cd /; rm -rf "$incoming"',
  ]
  return send(hands, script(prelude, items, unpack), store.files(uploads.map(({ artifact }) => artifact)), options)
}

/** Streams images straight into containerd, each blob once, and pins them against the kubelet's image clean-up. */
export function sendImages(
  hands: Hands,
  prelude: Sh,
  items: readonly Item[],
  store: Store,
  options: TransferOptions,
): Promise<Reply> {
  const refs = items.map(({ action }) => (action as ImageAction).ref)
  const take = ['ctr -n k8s.io images import --label io.cri-containerd.pinned=pinned - >/dev/null']
  return send(hands, script(prelude, items, take), store.images(refs), options)
}

/** What takes the bytes in, with every item in the journal first. */
function script(prelude: Sh, items: readonly Item[], work: readonly Sh[]): Sh {
  return [prelude, 'set -e', 'take_over /run/k8snet/transfer.lock', ...items.map(journalLine), ...work].join('\n')
}

function place({ artifact, path, mode, was, sha256 }: UploadAction): Sh {
  return [
    sh`mkdirs ${path}`,
    ...(was === 'foreign' ? [sh`keep_aside ${path}`] : []),
    sh`chmod ${mode} ${artifact}; chown 0:0 ${artifact}; mv -f ${artifact} ${path}`,
    sh`printf '%s %s\n' ${sha256} "$(stat -c '%s %Y %n' ${path})" >>"$state/artifacts"`,
  ].join('\n')
}

async function send(
  hands: Hands,
  script: Sh,
  archive: { size: number; stream: Readable },
  options: TransferOptions,
): Promise<Reply> {
  try {
    return await hands.send(script, archive.stream, {
      timeoutMs: 30 * 60_000,
      ...(options.signal && { signal: options.signal }),
      onBytes: (sent) => options.onBytes?.(sent, archive.size),
    })
  } finally {
    archive.stream.destroy()
    await finished(archive.stream).catch(() => undefined)
  }
}
