import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { Client, ClientChannel } from 'ssh2'
import type { Reply } from '../model/fact.ts'
import type { Host } from '../model/inventory.ts'
import type { LookOptions } from '../model/ports.ts'
import type { Sh } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'
import { onAbort } from './abort.ts'
import { brokenTrouble, failure, interrupted } from './fault.ts'
import { frame, framed, lines, oneLine } from './frame.ts'
import type { Slots } from './slots.ts'

/** One connection, as an exec needs it. */
export interface Link {
  readonly host: Host
  readonly client: Client
  readonly slots: Slots
  /** Aborted when the connection is gone. */
  readonly gone: AbortSignal
  /** Why it is gone, as ssh2 said it. */
  readonly cause: () => string | undefined
}

/** What to run as root. */
export interface Job {
  /** For messages: look, change, send */
  readonly name: string
  readonly script: Sh
  /** The script's stdin; without it, /dev/null. */
  readonly data?: Readable
  readonly timeoutMs: number
  readonly options: LookOptions & { readonly onBytes?: (sent: number) => void }
}

/** More output than this of one stream is no answer. */
const mostOutput = 64 * 1024 * 1024
/** How long a channel may stay open after its script has ended, because a child of it holds the output open. */
const lingerMs = 5000
/** sshd frees a session a little after its channel is closed, so a refused channel is asked for again. */
const reopenMs = 200

/** Runs a job in one exec and gives its reply. Throws Failure: CONNECTION_LOST, TIMEOUT, SUDO_FAILED, LOOK_FAILED, INTERRUPTED. */
export function exec(link: Link, job: Job): Promise<Reply> {
  const { host, client } = link
  const { signal, onLine, onBytes } = job.options
  const nonce = randomBytes(12).toString('hex')
  const toLines = onLine && lines(onLine)
  const out = frame(nonce, toLines?.feed)
  const err = frame(nonce)

  return new Promise((resolve, reject) => {
    let waitingFor = 'a free channel'
    let channel: ClientChannel | undefined
    let settled = false
    let hasSlot = false
    let retry: NodeJS.Timeout | undefined
    const leaves: (() => void)[] = []

    const settle = (act: () => void) => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      clearTimeout(retry)
      for (const leave of leaves) leave()
      if (job.data && channel) job.data.unpipe(channel)
      job.data?.destroy()
      act()
    }
    const free = () => {
      if (hasSlot) link.slots.free()
      hasSlot = false
    }
    const fail = (error: Failure) => {
      settle(() => reject(error))
      if (channel) channel.close()
      else if (!opening) free()
    }
    const stop = () => fail(interrupted(host, job.name))
    // What is still in the streams comes first: it may hold the end mark.
    const onGone = () => setImmediate(() => broken(null, null))
    const broken = (status: number | null, signalName: string | null) => {
      const said = `${out.before()}\n${err.before()}`.trim()
      const begun = out.state !== 'before'
      const trouble = brokenTrouble(
        host,
        job.name,
        { begun, status, signal: signalName, said, err: err.bytes().toString('utf8') },
        link.cause(),
      )
      fail(new Failure(trouble.code === 'SUDO_FAILED' ? exits.unreachable : exits.someHosts, trouble))
    }
    const timer = setTimeout(() => {
      const last = out.bytes().toString('utf8').trimEnd().split('\n').at(-1)
      const evidence = last ? [{ source: `${host.name}: last line of output`, line: last.slice(0, 500) }] : []
      const message = `${job.name} took longer than ${job.timeoutMs / 1000} s; it waited for ${waitingFor}`
      fail(
        failure(exits.someHosts, 'TIMEOUT', host, message, {
          evidence,
          fix: 'look what the host is busy with, or give it more time with --timeout',
        }),
      )
    }, job.timeoutMs)

    let opening = false
    const open = () => {
      hasSlot = true
      if (settled) return free()
      if (link.gone.aborted) return onGone()
      waitingFor = 'a channel to open'
      opening = true
      const opened = (error: Error | undefined, stream: ClientChannel) => {
        opening = false
        if (settled) {
          stream?.close()
          return free()
        }
        if (!error) return run(stream)
        if (link.gone.aborted) return onGone()
        if (!/open fail/.test(error.message))
          return fail(failure(exits.someHosts, 'LOOK_FAILED', host, `sshd runs no commands: ${error.message}`))
        waitingFor = `a channel to open (${error.message})`
        retry = setTimeout(open, reopenMs)
      }
      try {
        client.exec(commandOf(host, job), opened)
      } catch {
        opening = false
        broken(null, null)
      }
    }
    const run = (stream: ClientChannel) => {
      channel = stream
      waitingFor = 'the end of the script'
      let exit: { status: number | null; signal: string | null } = { status: null, signal: null }
      let open = 2
      const take = (to: typeof out) => (chunk: Buffer) => {
        to.feed(chunk)
        if (to.size > mostOutput)
          fail(failure(exits.someHosts, 'LOOK_FAILED', host, `${job.name} printed more than 64 MiB`))
        else if (out.state === 'ended' && err.state === 'ended') done()
      }
      const done = () => {
        if (settled) return
        toLines?.end()
        settle(() =>
          resolve({ out: out.bytes().toString('utf8'), err: err.bytes().toString('utf8'), code: out.status }),
        )
        const linger = setTimeout(() => stream.close(), lingerMs).unref()
        stream.once('close', () => clearTimeout(linger))
      }
      const closed = () => {
        if (--open === 0) broken(exit.status, exit.signal)
      }
      stream.on('data', take(out))
      stream.stderr.on('data', take(err))
      stream.on('exit', (status: number | null, name?: string) => {
        exit = { status, signal: name ?? null }
      })
      stream.once('close', () => {
        free()
        closed()
      })
      stream.stderr.once('end', closed)
      stream.on('error', () => {})
      feed(stream)
    }
    const feed = (stream: ClientChannel) => {
      const { data } = job
      if (!data) return void stream.end(framed(job.script, nonce, 'null'))
      stream.write(oneLine(framed(job.script, nonce, 'data')))
      let sent = 0
      if (onBytes) {
        data.on('data', (chunk: Buffer | string) => {
          sent += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.length
          onBytes(sent)
        })
      }
      data.pipe(stream)
    }

    job.data?.on('error', (error) => fail(sourceFailed(host, error)))
    job.data?.on('close', () => {
      if (!job.data?.readableEnded) fail(sourceFailed(host, new Error('it ended early')))
    })
    leaves.push(onAbort(signal, stop), onAbort(link.gone, onGone), link.slots.take(open))
    if (signal?.aborted) stop()
    else if (link.gone.aborted) onGone()
  })
}

function commandOf(host: Host, job: Job): Sh {
  const shell = job.data ? `/bin/sh -c 'IFS= read -r s; eval "$(printf %b "$s")"'` : '/bin/sh -s'
  return host.become === 'none' || host.user === 'root' ? shell : `sudo -n -H ${shell}`
}

function sourceFailed(host: Host, error: Error): Failure {
  if (error instanceof Failure) return error
  const missing = 'code' in error && (error.code === 'ENOENT' || error.code === 'EACCES')
  return failure(
    exits.someHosts,
    missing ? 'FILE_NOT_FOUND' : 'ACTION_FAILED',
    host,
    `what was to be sent cannot be read: ${error.message}`,
  )
}
