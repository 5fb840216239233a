import { defineConfig } from 'vitest/config'

/** system: real sshd, namespaces, a browser, containers' tools. On the lab: cluster, an operator's day; faults, all that goes wrong on the way; soak, kill -9. unit: all the rest. */
const system = [
  'test/ssh/**/*.test.ts',
  'test/commands/*.test.ts',
  'test/run/*.test.ts',
  'test/verify/netns*.test.ts',
  'test/browser/**/*.test.ts',
]
const cluster = ['test/cluster/**/*.test.ts']
const faults = ['test/faults/**/*.test.ts']
const soak = ['test/soak/**/*.test.ts']
const minutes = 60_000
/**
 * How long a test may take is only to end one that hangs. Of thousands that race with real processes on a busy machine one may
 * lose; test/failures.ts says which, and how.
 */
const patience = { testTimeout: 5 * minutes, hookTimeout: 5 * minutes, retry: 1 }
/** One lab, one test after another. */
const onLab = { testTimeout: 45 * minutes, hookTimeout: 45 * minutes, fileParallelism: false }

export default defineConfig({
  test: {
    // the tests wait more than they compute
    maxWorkers: 4,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...system, ...cluster, ...faults, ...soak],
          ...patience,
        },
      },
      { test: { name: 'system', include: system, ...patience } },
      { test: { ...onLab, name: 'cluster', include: cluster } },
      { test: { ...onLab, name: 'faults', include: faults } },
      { test: { ...onLab, name: 'soak', include: soak } },
    ],
  },
})
