import type { RunView } from '../view/run.ts'
import { lineView } from '../view/run.ts'
import type { CommandIo } from './io.ts'
import type { CommonOptions } from './options.ts'

const silent: RunView = { emit: () => undefined, end: async () => undefined }

/** The view that fits: live on a terminal, plain lines in a pipe, none where nothing will happen or nobody wants it. `io.follow` hears all. */
export async function viewFor(io: CommandIo, options: CommonOptions, busy: boolean): Promise<RunView> {
  const view = await shown(io, options, busy)
  return {
    emit(event) {
      io.follow?.event(event)
      view.emit(event)
    },
    end: () => view.end(),
  }
}

async function shown(io: CommandIo, { quiet, verbose }: CommonOptions, busy: boolean): Promise<RunView> {
  if (quiet || !busy) return silent
  if (verbose) return lineView((text) => io.err(text), { verbose })
  if (!io.errIsTerminal) return lineView((text) => io.err(text))
  // loaded only where it is seen
  const { liveView } = await import('../view/live.ts')
  return liveView(io.errStream, () => performance.now())
}
