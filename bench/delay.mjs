// A TCP proxy that holds every packet back. argv: HOST PORT MILLISECONDS (one way). Prints its port.
import { connect, createServer } from 'node:net'

const [host, port, ms] = process.argv.slice(2)
const pass = (from, to) => {
  from.on('data', (chunk) => setTimeout(() => to.write(chunk), Number(ms)))
  from.on('end', () => setTimeout(() => to.end(), Number(ms)))
  from.on('error', () => to.destroy())
}
const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const upstream = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true })
  pass(client, upstream)
  pass(upstream, client)
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
