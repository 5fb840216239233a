import { files, linesOf, paths } from '../facts/files.ts'
import { selinux as mode } from '../facts/selinux.ts'
import type { Action } from '../model/action.ts'
import { step } from '../model/step.ts'
import { linesAre } from './files.ts'

/** SELinux warns instead of refusing, now and at boot; where it is not there, nothing is done. */
export const selinux = step({
  title: 'SELinux is permissive, where it is there',
  asks: () => ({ mode, files }),
  plan: ({ mode, files }) => {
    const live: Action[] =
      mode === 'enforcing'
        ? [
            {
              kind: 'exec',
              summary: 'make SELinux permissive',
              command: 'setenforce 0',
              unless: '[ "$(getenforce)" != Enforcing ]',
              timeoutSeconds: 20,
              undo: [
                {
                  kind: 'exec',
                  summary: 'make SELinux enforcing again',
                  command: 'setenforce 1',
                  timeoutSeconds: 20,
                  undo: 'nothing',
                },
              ],
            },
          ]
        : []
    const boot = linesOf(files, paths.selinux).filter((line) => /^\s*SELINUX\s*=\s*enforcing\s*$/.test(line))
    return [
      ...live,
      ...linesAre(
        paths.selinux,
        boot.map((was) => ({ was, want: 'SELINUX=permissive' })),
      ),
    ]
  },
})
