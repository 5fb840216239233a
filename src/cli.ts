#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { createInterface } from 'node:readline/promises'
import { Command, CommanderError } from 'commander'
import type { CommandIo } from './commands/io.ts'
import { exits, Failure } from './model/trouble.ts'
import { failureJson, failureText } from './view/failure.ts'

/** Every verb: what it is for, and where it lives. A verb's file is loaded only when it is called, so that the start is quick. */
const verbs: Record<string, { about: string; load: () => Promise<(io: CommandIo) => Command> }> = {
  up: {
    about: 'make the hosts a cluster and prove its network',
    load: async () => (await import('./commands/up.ts')).upCommand,
  },
  plan: {
    about: 'what up would do: commands and diffs, per host',
    load: async () => (await import('./commands/plan.ts')).planCommand,
  },
  verify: {
    about: 'prove the network of a running cluster',
    load: async () => (await import('./commands/verify.ts')).verifyCommand,
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
  bundle: {
    about: 'make, check and list bundles of everything a cluster needs',
    load: async () => (await import('./commands/bundle.ts')).bundleCommand,
  },
  lab: { about: 'a Vagrant lab on this machine', load: async () => (await import('./commands/lab.ts')).labCommand },
  explain: {
    about: 'what an error code means',
    load: async () => (await import('./commands/explain.ts')).explainCommand,
  },
  schema: {
    about: "print the inventory's JSON Schema, for editors",
    load: async () => (await import('./commands/schema.ts')).schemaCommand,
  },
}

async function main(argv: readonly string[]): Promise<void> {
  const io = terminal()
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
  const called = verbs[argv[2] ?? '']
  if (called) program.addCommand(inherit((await called.load())(io)))
  else for (const [name, { about }] of Object.entries(verbs)) program.command(name).description(about)
  try {
    await program.parseAsync(argv as string[])
  } catch (error) {
    process.exitCode = report(error, io, argv)
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
  return io.signal.aborted ? exits.interrupted : failure.exit
}

function asFailure(error: unknown, stopped: boolean): Failure {
  if (stopped) return new Failure(exits.interrupted, { code: 'INTERRUPTED', message: 'stopped by the user' })
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return new Failure(exits.defect, { code: 'DEFECT', message, fix: 'please report this with the command that you ran' })
}

const wantsJson = (argv: readonly string[]): boolean =>
  argv.some(
    (word, i) => /^(-o|--output)=?json$/.test(word) || (/^(-o|--output)$/.test(argv[i - 1] ?? '') && word === 'json'),
  )

function version(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version
}

function terminal(): CommandIo {
  const { env, stdout, stderr, stdin } = process
  const stop = new AbortController()
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
      if (!stdin.isTTY) return undefined
      const lines = createInterface({ input: stdin, output: stderr })
      try {
        return await lines.question(question, { signal: stop.signal })
      } finally {
        lines.close()
      }
    },
    exit: (code) => {
      process.exitCode = code
    },
  }
}

await main(process.argv)
