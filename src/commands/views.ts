import { liveView } from '../view/live.ts'
import type { RunView } from '../view/run.ts'
import { lineView } from '../view/run.ts'
import type { CommandIo } from './io.ts'
import type { CommonOptions } from './options.ts'

const silent: RunView = { emit: () => undefined, end: async () => undefined }

/** The view that fits: live on a terminal, plain lines in a pipe, none where nothing will happen or nobody wants it. */
export function viewFor(io: CommandIo, { quiet }: CommonOptions, busy: boolean): RunView {
  if (quiet || !busy) return silent
  return io.errIsTerminal ? liveView(io.errStream, () => performance.now()) : lineView((text) => io.err(text))
}
