import { readFileSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { Secret } from '../model/secret.ts'
import { exits, Failure } from '../model/trouble.ts'
import type { Secrets } from '../ssh/connect.ts'
import type { CommandIo } from './io.ts'

/** How passwords come in: never as an argument, which every user of the machine could read. */
export interface AccessOptions {
  readonly askPass?: boolean
  readonly passwordFd?: number
  readonly askBecomePass?: boolean
  readonly becomePasswordFd?: number
}

/** Adds the options of a command that logs in to hosts. */
export function accessOptions(command: Command): Command {
  const fd = (text: string): number => {
    if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('it has to be the number of a file descriptor.')
    return Number(text)
  }
  return command
    .addOption(new Option('--ask-pass', 'ask for the SSH password (also K8SNET_SSH_PASSWORD)').conflicts('passwordFd'))
    .addOption(new Option('--password-fd <n>', 'read the SSH password from this file descriptor').argParser(fd))
    .addOption(
      new Option('--ask-become-pass', 'ask for the password of sudo or doas (also K8SNET_BECOME_PASSWORD)').conflicts(
        'becomePasswordFd',
      ),
    )
    .addOption(new Option('--become-password-fd <n>', 'read it from this file descriptor').argParser(fd))
}

/**
 * The passwords that were given, asked for where an option says so: once, however often it is called. Failure USAGE where
 * somebody would have to be asked and nobody is there, or a descriptor cannot be read.
 */
export function secretsOf(io: CommandIo, options: AccessOptions): () => Promise<Secrets> {
  let made: Promise<Secrets> | undefined
  return () => {
    made ??= make(io, options)
    return made
  }
}

async function make(io: CommandIo, options: AccessOptions): Promise<Secrets> {
  const { askSecret } = io
  const password = await one(io, {
    ask: options.askPass,
    option: '--ask-pass',
    question: 'SSH password: ',
    fd: options.passwordFd,
    variable: 'K8SNET_SSH_PASSWORD',
  })
  const becomePassword = await one(io, {
    ask: options.askBecomePass,
    option: '--ask-become-pass',
    question: 'Password for sudo or doas: ',
    fd: options.becomePasswordFd,
    variable: 'K8SNET_BECOME_PASSWORD',
  })
  let before: Promise<unknown> = Promise.resolve()
  // One question at a time.
  const passphrase = (path: string, again: boolean): Promise<Secret | undefined> => {
    const asked = before.then(() => askSecret!(`${again ? 'That was wrong. ' : ''}Passphrase of ${path}: `))
    before = asked.catch(() => {})
    return asked.then((text) => (text ? new Secret(text) : undefined))
  }
  return {
    ...(password ? { password } : {}),
    ...(becomePassword ? { becomePassword } : {}),
    ...(askSecret ? { passphrase } : {}),
  }
}

interface Source {
  readonly ask: boolean | undefined
  readonly option: string
  readonly question: string
  readonly fd: number | undefined
  readonly variable: string
}

async function one(io: CommandIo, { ask, option, question, fd, variable }: Source): Promise<Secret | undefined> {
  if (ask) {
    const text = await io.askSecret?.(question)
    if (text) return new Secret(text)
    throw usage(
      io.askSecret ? `${option}: no password was given` : `${option}: nobody is there to be asked`,
      `run it in a terminal, or give the password by ${option.replace('ask-', '').replace(/pass$/, 'password-fd')} or ${variable}`,
    )
  }
  if (fd !== undefined) return new Secret(lineOf(fd))
  const value = io.env[variable]
  return value ? new Secret(value) : undefined
}

/** The first line of what can be read there. */
function lineOf(fd: number): string {
  let text: string
  try {
    text = readFileSync(fd, 'utf8')
  } catch (error) {
    throw usage(
      `no password can be read from file descriptor ${fd}: ${(error as Error).message}`,
      `open it: k8snet … ${fd}< FILE`,
    )
  }
  const line = text.split('\n')[0]!.replace(/\r$/, '')
  if (line === '') throw usage(`file descriptor ${fd} holds no password`, 'write the password into its first line')
  return line
}

function usage(message: string, fix: string): Failure {
  return new Failure(exits.badInput, { code: 'USAGE', message, fix })
}
