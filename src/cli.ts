#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { Command, CommanderError } from 'commander'
import { secretsOf } from './commands/access.ts'
import type { CommandIo } from './commands/io.ts'
import { limitOf } from './commands/limit.ts'
import { maskOf } from './model/mask.ts'
import { exits, Failure } from './model/trouble.ts'
import { failureJson, failureText } from './view/failure.ts'

/** Every verb: what it is for, and where it lives. A verb's file is loaded only when it is called, so that the start is quick. */
const verbs: Record<string, { about: string; load: () => Promise<(io: CommandIo) => Command> }> = {
  up: {
    about: 'make the hosts a cluster and prove its network',
    load: async () => (await import('./commands/up-words.ts')).upCommand,
  },
  plan: {
    about: 'what up would do: commands and diffs, per host',
    load: async () => (await import('./commands/plan.ts')).planCommand,
  },
  verify: {
    about: 'prove the network of a running cluster',
    load: async () => (await import('./commands/verify-words.ts')).verifyCommand,
  },
  trace: {
    about: 'the way of a packet, hop by hop',
    load: async () => (await import('./commands/trace.ts')).traceCommand,
  },
  status: {
    about: 'hosts, roles, versions, and what has drifted',
    load: async () => (await import('./commands/status.ts')).statusCommand,
  },
  down: { about: 'take back what up did', load: async () => (await import('./commands/down.ts')).downCommand },
  kubeconfig: {
    about: "print or save the cluster's admin kubeconfig",
    load: async () => (await import('./commands/kubeconfig.ts')).kubeconfigCommand,
  },
  collect: {
    about: 'a support archive of all hosts, secrets masked',
    load: async () => (await import('./commands/collect.ts')).collectCommand,
  },
  scan: {
    about: 'show the host keys of all hosts, to check and pin',
    load: async () => (await import('./commands/scan.ts')).scanCommand,
  },
  bundle: {
    about: 'make, check and list bundles of everything a cluster needs',
    load: async () => (await import('./commands/bundle.ts')).bundleCommand,
  },
  lab: { about: 'a Vagrant lab on this machine', load: async () => (await import('./commands/lab.ts')).labCommand },
  explain: {
    about: 'what an error code means',
    load: async () => (await import('./commands/explain.ts')).explainCommand,
  },
  steps: {
    about: 'every step of up, on which hosts, after what',
    load: async () => (await import('./commands/steps.ts')).stepsCommand,
  },
  completion: {
    about: 'print the completion script of a shell',
    load: async () => {
      const { completionCommand } = await import('./commands/completion.ts')
      const others = Object.entries(verbs).filter(([name]) => name !== 'completion')
      const makers = await Promise.all(others.map(([, { load }]) => load()))
      return (io) =>
        completionCommand(
          io,
          makers.map((make) => make(io)),
        )
    },
  },
  schema: {
    about: "print the inventory's JSON Schema, for editors",
    load: async () => (await import('./commands/schema.ts')).schemaCommand,
  },
}

async function main(argv: readonly string[]): Promise<void> {
  const stop = new AbortController()
  const limit = limitOf(
    (late) => stop.abort(late),
    () => performance.now(),
  )
  const io: { -readonly [key in keyof CommandIo]: CommandIo[key] } = { ...terminal(stop), follow: limit }
  const program = new Command('k8snet')
    .description('Brings up Kubernetes on bare Linux hosts over SSH, and proves that its network works.')
    .version(version(), '-V, --version')
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: false })
    .addHelpText(
      'after',
      '\nExample:\n  k8snet up inventory.yaml\n\nExit codes and the inventory are described in README.md.',
    )
  program.hook('preAction', (_, action) => {
    const { timeout, verbose } = action.opts<{ timeout?: number; verbose?: boolean }>()
    limit.start(timeout)
    if (verbose) io.log = (line) => io.err(`${line}\n`)
    io.secrets = secretsOf(io, action.opts())
  })
  const called = verbs[argv[2] ?? '']
  if (called) program.addCommand(inherit((await called.load())(io)))
  else for (const [name, { about }] of Object.entries(verbs)) program.command(name).description(about)
  try {
    await program.parseAsync(argv as string[])
    // a report that says what was done is there already
    if (limit.late && process.exitCode) process.exitCode = report(limit.late, { ...io, out: io.err }, [])
  } catch (error) {
    process.exitCode = report(limit.instead(error), io, argv)
  }
}

/** Subcommands throw instead of leaving, too. */
function inherit(command: Command): Command {
  command.exitOverride().showSuggestionAfterError()
  for (const sub of command.commands) inherit(sub)
  return command
}

function report(error: unknown, io: CommandIo, argv: readonly string[]): number {
  if (error instanceof CommanderError)
    return error.exitCode === 0 || error.code === 'commander.help' ? exits.done : exits.badInput
  const stopped = io.signal.aborted && !(error instanceof Failure)
  const failure = error instanceof Failure ? error : asFailure(error, stopped)
  if (wantsJson(argv)) io.out(`${JSON.stringify(failureJson(failure), null, 2)}\n`)
  else io.err(failureText(failure, io.color))
  return io.signal.aborted && !(io.signal.reason instanceof Failure) ? exits.interrupted : failure.exit
}

function asFailure(error: unknown, stopped: boolean): Failure {
  if (stopped) return new Failure(exits.interrupted, { code: 'INTERRUPTED', message: 'stopped by the user' })
  const message = maskOf([])(error instanceof Error ? (error.stack ?? error.message) : String(error))
  return new Failure(exits.defect, { code: 'DEFECT', message, fix: 'please report this with the command that you ran' })
}

const wantsJson = (argv: readonly string[]): boolean =>
  argv.some(
    (word, i) => /^(-o|--output)=?json$/.test(word) || (/^(-o|--output)$/.test(argv[i - 1] ?? '') && word === 'json'),
  )

function version(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version
}

function terminal(stop: AbortController): CommandIo {
  const { stdout, stderr, stdin } = process
  const env = { ...process.env }
  // No program that is started here has to know them.
  for (const name of ['K8SNET_SSH_PASSWORD', 'K8SNET_BECOME_PASSWORD']) delete process.env[name]
  process.on('SIGINT', () => {
    if (stop.signal.aborted) process.exit(exits.interrupted)
    stderr.write('\nstopping after what is under way; once more to stop at once\n')
    stop.abort()
  })
  process.on('SIGTERM', () => stop.abort())
  stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? exits.done : exits.defect))
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    errStream: stderr,
    outIsTerminal: stdout.isTTY === true,
    errIsTerminal: stderr.isTTY === true,
    columns: stdout.columns || Number(env.COLUMNS) || 100,
    color:
      stdout.isTTY === true &&
      stderr.isTTY === true &&
      !env.NO_COLOR &&
      !process.argv.includes('--no-color') &&
      env.TERM !== 'dumb',
    env,
    cwd: process.cwd(),
    user: userInfo().username,
    home: homedir(),
    signal: stop.signal,
    async ask(question) {
      return stdin.isTTY ? answer(stop.signal, stderr, question) : undefined
    },
    ...(stdin.isTTY && {
      async askSecret(question: string) {
        // What is typed is echoed into nowhere.
        const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
        const typed = answer(stop.signal, nowhere, '')
        // The terminal shows nothing any more by the time that somebody sees the question and types.
        stderr.write(question)
        return typed.finally(() => stderr.write('\n'))
      },
    }),
    exit: (code) => {
      process.exitCode = code
    },
  }
}

/** A line that is typed at the terminal. */
async function answer(signal: AbortSignal, output: NodeJS.WritableStream, question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output, terminal: true })
  // While a line is typed, Ctrl-C is a key and no signal.
  lines.on('SIGINT', () => process.emit('SIGINT'))
  try {
    return await lines.question(question, { signal })
  } finally {
    lines.close()
  }
}

await main(process.argv)
