import type { ModuleAction } from '../model/action.ts'
import { sh } from '../model/shell.ts'
import type { KindOf } from './kind.ts'

/** A kernel module, loaded now. Unloading is unsafe, so nothing takes it back; the file that loads it at boot goes. */
export const module: KindOf<ModuleAction> = {
  show: ({ name }) => ({ summary: `load kernel module ${name}`, command: sh`modprobe ${name}` }),
  compile: ({ name }) => sh`modprobe ${name}`,
  undo: () => [],
}
