import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { ClientChannel } from 'ssh2'
import type { Reply } from '../model/fact.ts'
import type { LookOptions } from '../model/ports.ts'
import type { Sh } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'
import { onAbort } from './abort.ts'
import { admit, retrying, startOf } from './become.ts'
import { brokenTrouble, failure, interrupted, sourceFailed } from './fault.ts'
import { frame, framed, lines, oneLine } from './frame.ts'
import type { Link } from './link.ts'

/** What to run as root. */
export interface Job {
  /** For messages: look, change, send */
  readonly name: string
  readonly script: Sh
  /** The script's stdin; without it, /dev/null. */
  readonly data?: Readable
  readonly talk?: Talk
  readonly timeoutMs: number
  readonly options: LookOptions & { readonly onBytes?: (sent: number) => void }
}

/** A script that is talked to: its stdin stays open until its output has come to an end. In place of `data`. */
export interface Talk {
  /** Goes into stdin first. */
  readonly body: Buffer
  /** Gets stdout as it comes. */
  take(chunk: Buffer): void
  /** Has what came so far come to an end? Then the reply is given at once. */
  ended(): boolean
  /** What is said then. */
  bye(): string
  /** When it is aborted, `stop` is said. */
  readonly signal?: AbortSignal | undefined
}

/** More output than this of one stream is no answer. */
const mostOutput = 64 * 1024 * 1024
/** How long a channel may stay open after its script has ended, because a child of it holds the output open. */
const lingerMs = 5000
/** sshd frees a session a little after its channel is closed, so a refused channel is asked for again. */
const reopenMs = 200

/**
 * Runs a job in one exec and gives its reply; where sudo or doas turn out to want a password or a terminal, in a second one.
 * Throws Failure: CONNECTION_LOST, TIMEOUT, SUDO_FAILED, LOOK_FAILED, INTERRUPTED.
 */
export async function exec(link: Link, job: Job): Promise<Reply> {
  // Data can be sent once only, so the way to root has to be known before.
  const proof: Job = { name: job.name, script: ':', timeoutMs: job.timeoutMs, options: {} }
  try {
    if (job.data && !link.become.proven) await exec(link, proof)
    return await (job.data ? execOnce(link, job) : retrying(link.become, () => execOnce(link, job)))
  } catch (error) {
    job.data?.destroy()
    throw error
  }
}

function execOnce(link: Link, job: Job): Promise<Reply> {
  const { host, client } = link
  const { signal, onLine, onBytes } = job.options
  const nonce = randomBytes(12).toString('hex')
  const toLines = onLine && lines(onLine)
  const out = frame(nonce, job.talk?.take ?? toLines?.feed)
  const err = frame(nonce)
  const start = startOf(link.become, nonce, shellFor(job))

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
      fail(new Failure(trouble.code === 'SUDO_FAILED' ? exits.unreachable : exits.someHosts, trouble, { cause: said }))
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
        client.exec(start.command, opened)
      } catch {
        // The connection has just ended, and is gone in a moment: only then may the call be made over another one.
        opening = false
        if (link.gone.aborted) onGone()
      }
    }
    const run = (stream: ClientChannel) => {
      channel = stream
      waitingFor = start.ready ? `${link.become.tool} to let ${host.user} in` : 'the end of the script'
      let exit: { status: number | null; signal: string | null } = { status: null, signal: null }
      let open = 2
      const take = (to: typeof out) => (chunk: Buffer) => {
        to.feed(chunk)
        if (out.boot !== '') link.boot = out.boot
        if (job.talk?.ended()) return done()
        if (to.size > mostOutput)
          fail(failure(exits.someHosts, 'LOOK_FAILED', host, `${job.name} printed more than 64 MiB`))
        else if (out.state === 'ended' && err.state === 'ended') done()
      }
      const done = () => {
        if (settled) return
        toLines?.end()
        if (job.talk?.ended()) {
          link.parting.add(stream)
          stream.end(job.talk.bye())
        }
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
        link.parting.delete(stream)
        free()
        closed()
      })
      stream.stderr.once('end', closed)
      stream.on('error', () => {})
      const go = () => {
        waitingFor = 'the end of the script'
        feed(stream)
      }
      admit(link, stream, start, link.become, { go, fail })
    }
    const feed = (stream: ClientChannel) => {
      const { data, talk } = job
      if (talk) {
        stream.write(oneLine(framed(job.script, nonce, 'data')))
        stream.write(talk.body)
        const stop = () => stream.write('stop\n')
        if (talk.signal?.aborted) stop()
        else leaves.push(onAbort(talk.signal, stop))
        return
      }
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

/** The root shell that reads the job's script from its stdin. */
function shellFor(job: Job): Sh {
  return job.data || job.talk ? `/bin/sh -c 'IFS= read -r s; eval "$(printf %b "$s")"'` : '/bin/sh -s'
}
