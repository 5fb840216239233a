import { lineOf, type Trouble } from '../model/trouble.ts'

/** What lies in the archive of a host, without the texts. */
export interface Contents {
  readonly host: string
  /** `bytes` is undefined where there was nothing. */
  readonly files: readonly { readonly name: string; readonly bytes?: number; readonly note?: string }[]
  /** The host had more to tell than it may. */
  readonly cut: boolean
  /** Why the host told nothing. */
  readonly error?: Trouble
}

/** The list of an archive: every file with its size, and what is not there or not whole, and why. */
export function contentsText(parts: readonly Contents[]): string {
  const hosts = parts.map(({ host, files, cut, error }) => {
    const head = error
      ? `nothing: ${lineOf(error)}`
      : `${files.filter(({ bytes }) => bytes !== undefined).length} files${cut ? '; cut, it had more to tell than it may' : ''}`
    const lines = files.map(
      ({ name, bytes, note }) => `${String(bytes ?? '-').padStart(10)}  ${host}/${name}${note ? `  (${note})` : ''}\n`,
    )
    return `${host}: ${head}\n${lines.join('')}`
  })
  return `Secrets are masked as ***. Sizes in bytes; - is not there.\n\n${hosts.join('\n')}`
}
