import { defineConfig } from 'vitest/config'

/** system: real sshd, namespaces, containers' tools. cluster: the real lab, one test after another. unit: all the rest. */
const system = ['test/ssh/**/*.test.ts', 'test/commands/*.test.ts', 'test/run/up.test.ts', 'test/verify/netns*.test.ts']
const cluster = ['test/cluster/**/*.test.ts']
const minutes = 60_000

export default defineConfig({
  test: {
    // the tests wait more than they compute
    maxWorkers: 4,
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: [...system, ...cluster], testTimeout: 30_000 } },
      { test: { name: 'system', include: system, testTimeout: minutes, hookTimeout: minutes } },
      {
        test: {
          name: 'cluster',
          include: cluster,
          testTimeout: 45 * minutes,
          hookTimeout: 45 * minutes,
          fileParallelism: false,
        },
      },
    ],
  },
})
