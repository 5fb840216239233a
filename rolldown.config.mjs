// `npm run build` puts the program's own files and its small libraries together into a few: to find, read and compile hundreds of
// files one by one takes longer than all the rest of a start. Each verb stays a file that is loaded when it is called.
import { defineConfig } from 'rolldown'

export default defineConfig({
  input: { cli: 'src/cli.ts' },
  platform: 'node',
  // libraries with native parts or with files of their own beside them
  external: ['ssh2', 'zx', 'tar-stream', 'listr2'],
  output: {
    dir: 'dist',
    format: 'esm',
    sourcemap: true,
    // as deep as the files of src/*/: what they name by import.meta.url stays where it is
    chunkFileNames: 'chunks/[name].js',
  },
})
