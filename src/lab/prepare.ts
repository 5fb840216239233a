import { startEngine } from './engine.ts'
import { readyKernel } from './kernel.ts'
import type { Lab } from './lab.ts'
import { install, labNeeds } from './packages.ts'
import type { Provider } from './provider.ts'

/** Gives this machine what the provider needs: packages, a running engine, kernel settings. Says what it does before it does it. */
export async function prepare(lab: Lab, provider: Provider): Promise<void> {
  await install(lab, labNeeds[provider])
  if (provider !== 'docker') return
  await startEngine(lab)
  await readyKernel(lab)
}
