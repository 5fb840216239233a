import type { Sh } from '../model/shell.ts'

/**
 * How a script's own output is told from everything else on the wire. A login shell may print before it, and a link may break
 * in the middle: only what stands between `NONCE<BOOT` and `NONCE> STATUS` is the answer, and without the second there is none.
 */
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The script between its marks. A shell reads a whole `( )` before it runs any of it, so no child can eat the rest. */
export function framed(script: Sh, nonce: string, stdin: 'null' | 'data'): Sh {
  const mark = (sign: string, rest: string) => `printf '%s%s%s\\n' ${nonce} '${sign}' ${rest}`
  return `PATH=${path}; LC_ALL=C; export PATH LC_ALL; umask 022; cd /
{ read -r k8snet_init </proc/1/stat; read -r k8snet_boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
set -- \${k8snet_init##*) }; k8snet_boot=$k8snet_boot.\${20-}
${mark('<', "''")} >&2; ${mark('<', '"$k8snet_boot"')}
( :
${script}
)${stdin === 'null' ? ' </dev/null' : ''}
k8snet_rc=$?; ${mark('> ', '"$k8snet_rc"')} >&2; ${mark('> ', '"$k8snet_rc"')}; exit "$k8snet_rc"
`
}

/** The script as one line for `printf %b`, so that `read -r` takes it off stdin byte by byte and leaves the data behind it. */
export function oneLine(script: Sh): string {
  return `${script.replaceAll('\\', '\\0134').replaceAll('\n', '\\0012')}\n`
}

/** Reads one stream of an exec. */
export interface Frame {
  feed(chunk: Buffer): void
  readonly state: 'before' | 'inside' | 'ended'
  /** The exit status, once ended. */
  readonly status: number
  /**
   * What stood in the first mark: on stdout which boot of the host this is, else nothing. That is the boot id, and when the first
   * process started (proc(5), stat, 22): a container that is restarted keeps the boot id.
   */
  readonly boot: string
  /** What came between the marks. */
  readonly bytes: () => Buffer
  /** The last of what came before the first mark: what a login shell or sudo said. */
  readonly before: () => string
  readonly size: number
}

export function frame(nonce: string, onBytes?: (chunk: Buffer) => void): Frame {
  const begin = Buffer.from(`${nonce}<`)
  const end = Buffer.from(`${nonce}> `)
  const kept: Buffer[] = []
  let state: Frame['state'] = 'before'
  let junk = Buffer.alloc(0)
  let carry = Buffer.alloc(0)
  let status = -1
  let boot = ''
  let size = 0

  const keep = (chunk: Buffer) => {
    if (chunk.length === 0) return
    kept.push(chunk)
    size += chunk.length
    onBytes?.(chunk)
  }
  const drop = (chunk: Buffer) => {
    junk = Buffer.concat([junk, chunk]).subarray(-4096)
  }
  return {
    feed(chunk) {
      if (state === 'ended') return
      let rest = carry.length > 0 ? Buffer.concat([carry, chunk]) : chunk
      carry = Buffer.alloc(0)
      if (state === 'before') {
        const at = rest.indexOf(begin)
        if (at < 0) {
          const cut = rest.length - overlap(rest, begin)
          drop(rest.subarray(0, cut))
          carry = Buffer.from(rest.subarray(cut))
          return
        }
        const eol = rest.indexOf('\n', at + begin.length)
        if (eol < 0) {
          drop(rest.subarray(0, at))
          carry = Buffer.from(rest.subarray(at))
          return
        }
        drop(rest.subarray(0, at))
        boot = rest.toString('latin1', at + begin.length, eol)
        rest = rest.subarray(eol + 1)
        state = 'inside'
      }
      const at = rest.indexOf(end)
      const cut = at >= 0 ? at : rest.length - overlap(rest, end)
      keep(rest.subarray(0, cut))
      carry = Buffer.from(rest.subarray(cut))
      if (at < 0) return
      const line = carry.toString('latin1', end.length)
      if (!line.includes('\n')) return
      status = Number.parseInt(line, 10)
      state = 'ended'
    },
    get state() {
      return state
    },
    get status() {
      return status
    },
    get boot() {
      return boot
    },
    get size() {
      return size
    },
    bytes: () => Buffer.concat(kept),
    before: () => (state === 'before' ? Buffer.concat([junk, carry]) : junk).toString('utf8'),
  }
}

/** How many bytes at the end of `text` may be the start of `mark`; everything before them can be passed on at once. */
function overlap(text: Buffer, mark: Buffer): number {
  for (let n = Math.min(text.length, mark.length - 1); n > 0; n--) {
    if (text.subarray(text.length - n).equals(mark.subarray(0, n))) return n
  }
  return 0
}

/** Calls `onLine` for every line of a stream of bytes; `end` tells of a last line without a newline. */
export function lines(onLine: (line: string) => void): { feed(chunk: Buffer): void; end(): void } {
  const decoder = new TextDecoder()
  let rest = ''
  return {
    feed(chunk) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = parts.pop() ?? ''
      for (const line of parts) onLine(line)
    },
    end() {
      rest += decoder.decode()
      if (rest !== '') onLine(rest)
      rest = ''
    },
  }
}
