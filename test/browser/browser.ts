import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

/** A real Chromium without a window, spoken to over pipes in its DevTools protocol; `close` ends it and removes what it wrote. */
export interface Browser {
  open(look: Look): Promise<Page>
  close(): Promise<void>
}

export interface Look {
  readonly width: number
  readonly height: number
  readonly scheme: 'light' | 'dark'
  readonly media?: 'print'
}

export interface Page {
  /** Shows a page from a file and waits until it is loaded. */
  show(html: string): Promise<void>
  /** The value of an expression in the page. */
  evaluate<T>(expression: string): Promise<T>
  /** The whole page as PNG. */
  screenshot(): Promise<Buffer>
  /** Pages of its print, as the bytes of a PDF. */
  pdf(): Promise<Buffer>
  /** URLs that were asked for. */
  readonly requests: readonly string[]
  /** What the browser complained of: the console, the policy, exceptions. */
  readonly complaints: readonly string[]
  close(): Promise<void>
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly sessionId?: string
  // biome-ignore lint/suspicious/noExplicitAny: the protocol has many shapes
  readonly params?: any
  // biome-ignore lint/suspicious/noExplicitAny: the protocol has many shapes
  readonly result?: any
  readonly error?: { readonly message: string }
}

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--no-first-run',
  '--hide-scrollbars',
  '--remote-debugging-pipe',
]

export async function openBrowser(): Promise<Browser> {
  const dir = await mkdtemp(join(tmpdir(), 'k8snet-browser-'))
  const child = spawn('chromium', [...flags, `--user-data-dir=${join(dir, 'profile')}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const { send, listen } = await speak(child)
  return {
    open: async (look) => {
      const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
      const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
      const ask = (method: string, params: object = {}) => send(method, params, sessionId)
      const requests: string[] = []
      const complaints: string[] = []
      // The empty page that a target begins with may say only now that it is loaded, so each load is known by its loader.
      const loaders = new Set<string>()
      let onLoad = () => {}
      listen(sessionId, (method, params) => {
        if (method === 'Network.requestWillBeSent') requests.push(params.request.url)
        if (method === 'Log.entryAdded') complaints.push(params.entry.text)
        if (method === 'Runtime.consoleAPICalled') complaints.push(JSON.stringify(params.args))
        if (method === 'Runtime.exceptionThrown') complaints.push(params.exceptionDetails.text)
        if (method === 'Page.lifecycleEvent' && params.name === 'load') {
          loaders.add(params.loaderId)
          onLoad()
        }
      })
      for (const domain of ['Page', 'Network', 'Log', 'Runtime']) await ask(`${domain}.enable`)
      await ask('Page.setLifecycleEventsEnabled', { enabled: true })
      await ask('Emulation.setDeviceMetricsOverride', {
        width: look.width,
        height: look.height,
        deviceScaleFactor: 1,
        mobile: look.width < 600,
      })
      await ask('Emulation.setEmulatedMedia', {
        media: look.media ?? 'screen',
        features: [{ name: 'prefers-color-scheme', value: look.scheme }],
      })
      return {
        requests,
        complaints,
        async show(html) {
          const file = join(dir, `page-${sessionId}.html`)
          await writeFile(file, html)
          const { loaderId } = await ask('Page.navigate', { url: `file://${file}` })
          await new Promise<void>((resolve) => {
            onLoad = () => loaders.has(loaderId) && resolve()
            onLoad()
          })
        },
        async evaluate(expression) {
          const { result, exceptionDetails } = await ask('Runtime.evaluate', { expression, returnByValue: true })
          if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
          return result.value
        },
        async screenshot() {
          const { cssContentSize: size } = await ask('Page.getLayoutMetrics')
          const clip = { x: 0, y: 0, width: look.width, height: Math.ceil(size.height), scale: 1 }
          const { data } = await ask('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip })
          return Buffer.from(data, 'base64')
        },
        async pdf() {
          const { data } = await ask('Page.printToPDF', { printBackground: true })
          return Buffer.from(data, 'base64')
        },
        close: async () => void (await send('Target.closeTarget', { targetId })),
      }
    },
    close: async () => {
      child.kill()
      await ended
      await rm(dir, { recursive: true, force: true, maxRetries: 25 })
    },
  }
}

/** Requests and events over the two pipes, each message ended by a zero byte. */
async function speak(child: ChildProcess) {
  const [, , , to, from] = child.stdio as unknown as [null, null, null, Writable, Readable]
  // biome-ignore lint/suspicious/noExplicitAny: the protocol has many shapes
  const waiting = new Map<number, { resolve: (result: any) => void; reject: (cause: Error) => void }>()
  // biome-ignore lint/suspicious/noExplicitAny: the protocol has many shapes
  const listeners = new Map<string, (method: string, params: any) => void>()
  const stop = (cause: Error) => {
    for (const { reject } of waiting.values()) reject(cause)
    waiting.clear()
  }
  child.once('error', stop)
  child.once('close', () => stop(new Error('the browser ended')))
  let rest = ''
  from.setEncoding('utf8').on('data', (text: string) => {
    const messages = (rest + text).split('\0')
    rest = messages.pop() ?? ''
    for (const message of messages.map((it) => JSON.parse(it) as Message)) {
      const { id, method, sessionId = '', params, result, error } = message
      if (method) listeners.get(sessionId)?.(method, params)
      if (id === undefined) continue
      if (error) waiting.get(id)?.reject(new Error(error.message))
      else waiting.get(id)?.resolve(result)
      waiting.delete(id)
    }
  })
  let last = 0
  return {
    // biome-ignore lint/suspicious/noExplicitAny: the protocol has many shapes
    send: (method: string, params: object = {}, sessionId?: string): Promise<any> =>
      new Promise((resolve, reject) => {
        last += 1
        waiting.set(last, { resolve, reject })
        to.write(`${JSON.stringify({ id: last, method, params, ...(sessionId && { sessionId }) })}\0`)
      }),
    // biome-ignore lint/suspicious/noExplicitAny: the protocol has many shapes
    listen: (sessionId: string, heard: (method: string, params: any) => void) => void listeners.set(sessionId, heard),
  }
}
