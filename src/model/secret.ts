import { inspect } from 'node:util'

/**
 * A value that must not be seen: it prints, serialises and inspects as `***`, or as what may be seen of it.
 * Only a script's compiler calls {@link Secret.reveal}, and what it makes travels over a channel's stdin.
 */
export class Secret {
  readonly #value: string
  readonly #shown: string

  /** `shown` is the text with what must not be seen taken out: a configuration file with its token as `***`. */
  constructor(value: string, shown = '***') {
    this.#value = value
    this.#shown = shown
  }

  /** The value itself. For the compilers of actions and for ssh's authentication only. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return this.#shown
  }

  toJSON(): string {
    return this.#shown
  }

  [inspect.custom](): string {
    return this.#shown
  }
}
