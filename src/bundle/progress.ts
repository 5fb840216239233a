/** How far a long piece of work is. `done` and `total` are of one unit: bytes, or rough seconds of work. */
export interface Progress {
  readonly done: number
  readonly total: number
  /** What is being worked on now. */
  readonly name: string
  /** The time left, as far as it can be guessed. */
  readonly etaMs?: number
}

export type OnProgress = (progress: Progress) => void
