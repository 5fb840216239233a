# The probe program of `k8snet verify`: a tiny server, and a client that runs many probes side by side.
# Python 3.6 or newer, also python3-minimal and platform-python: only builtin modules. probe.pl speaks the same protocol.
#
#   server NAME PORT SECONDS   answers on TCP and UDP with its name and the address it saw, until nobody reads its stdout
#   client SECONDS             reads probes from stdin, prints one line for each, then `end`
#
# Probes, one per line:             what `ok` says               `fail` says why: timeout refused unreachable reset
#   ID tcp IP PORT                  NAME SEEN                    closed denied errno-N, or missed (svc): WHY NAMES N
#   ID udp IP PORT                  NAME SEEN
#   ID icmp IP                      IP
#   ID svctcp|svcudp IP PORT COUNT  NAME,NAME,... of all COUNT
#   ID dnsudp|dnstcp IP PORT NAME   RCODE ADDRESS,ADDRESS,...
#   ID http IP PORT                 the first line of whatever came back
# Results: `r ID ok|fail MILLISECONDS TEXT`
import _socket as socket
import errno
import os
import select
import sys
import time

now = time.monotonic
REASONS = {
    errno.ECONNREFUSED: 'refused', errno.EHOSTUNREACH: 'unreachable', errno.ENETUNREACH: 'unreachable',
    errno.ECONNRESET: 'reset', errno.EPIPE: 'reset', errno.EPERM: 'denied', errno.EACCES: 'denied',
    errno.ETIMEDOUT: 'timeout',
}
RCODES = {0: 'NOERROR', 1: 'FORMERR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 5: 'REFUSED'}
RESEND = (0.4, 0.6)  # seconds between a datagram and its repeats
AT_ONCE = 200


def say(line):
    os.write(1, (line + '\n').encode('ascii', 'replace'))


def why(error):
    return REASONS.get(error, 'errno-%d' % error)


# server

def serve(name, port, seconds):
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind(('', port))
    tcp.listen(256)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(('', port))
    for s in (tcp, udp):
        s.setblocking(False)
    poll = select.poll()
    poll.register(tcp.fileno(), select.POLLIN)
    poll.register(udp.fileno(), select.POLLIN)
    say('ready %s' % name)
    end, beat = now() + seconds, now() + 1
    while now() < end:
        for fd, _ in poll.poll(max(0, (beat - now()) * 1000)):
            try:
                if fd == tcp.fileno():
                    client, peer = tcp._accept()
                    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, client)
                    client.send(('%s %s\n' % (name, peer[0])).encode())
                    client.close()
                else:
                    data, peer = udp.recvfrom(512)
                    udp.sendto(data + (' %s %s' % (name, peer[0])).encode(), peer)
            except OSError:
                pass
        if now() >= beat:
            say('alive')  # fails once the channel is gone, and that ends the program
            beat = now() + 1


# client: every probe is a generator that yields (socket, 'r' or 'w', until) or (None, '', until) and is told: ready or too late

def connected(ip, port, until):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setblocking(False)
    error = s.connect_ex((ip, port))
    if error == errno.EINPROGRESS:
        error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if (yield s, 'w', until) else errno.ETIMEDOUT
    if error:
        s.close()
        return None, why(error)
    return s, ''


def exchange_tcp(ip, port, until, request, complete):
    s, reason = yield from connected(ip, port, until)
    if not s:
        return None, reason
    data = b''
    try:
        if request:
            s.send(request)
        while not complete(data):
            if not (yield s, 'r', until):
                return None, 'timeout'
            more = s.recv(4096)
            if not more:
                return None, 'closed'
            data += more
        return data, ''
    except OSError as e:
        return None, why(e.errno)
    finally:
        s.close()


def exchange_udp(s, to, until, request, answer):
    """Sends `request`, again after a while, until `answer` makes something of a datagram."""
    try:
        s.setblocking(False)
        s.connect(to)
        pauses = list(RESEND)
        while True:
            s.send(request)
            again = min(until, now() + pauses.pop(0)) if pauses else until
            while (yield s, 'r', again):
                got = answer(s.recv(4096))
                if got is not None:
                    return got, ''
            if again >= until:
                return None, 'timeout'
    except OSError as e:
        return None, why(e.errno)
    finally:
        s.close()


def tcp(ip, port, until):
    data, reason = yield from exchange_tcp(ip, port, until, b'', lambda d: d.endswith(b'\n'))
    return (False, reason) if data is None else (True, data.decode('ascii', 'replace').strip())


tokens = [0]


def udp(ip, port, until):
    tokens[0] += 1
    token = b'k8snet-%d-%d ' % (os.getpid(), tokens[0])
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    data, reason = yield from exchange_udp(s, (ip, port), until, token, lambda d: d[len(token):] if d.startswith(token) else None)
    return (False, reason) if data is None else (True, data.decode('ascii', 'replace').strip())


def icmp(ip, until):
    tokens[0] += 1
    ident, seq = os.getpid() & 0xffff, tokens[0] & 0xffff
    body = bytes([8, 0, 0, 0, ident >> 8, ident & 255, seq >> 8, seq & 255]) + b'k8snet--'
    total = sum(body[i] << 8 | body[i + 1] for i in range(0, len(body), 2))
    total = (total & 0xffff) + (total >> 16)
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    body = body[:2] + bytes([total >> 8, total & 255]) + body[4:]

    def reply(packet):
        inner = packet[(packet[0] & 15) * 4:]
        return True if inner[:1] == b'\0' and inner[4:8] == body[4:8] else None
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    got, reason = yield from exchange_udp(s, (ip, 0), until, body, reply)
    return (True, ip) if got else (False, reason)


def http(ip, port, until):
    data, reason = yield from exchange_tcp(ip, port, until, b'GET / HTTP/1.0\r\n\r\n', lambda d: len(d) > 0)
    if data is None:
        return False, reason
    return True, ''.join(chr(c) if 32 <= c < 127 else '.' for c in data.splitlines()[0][:60])


def dns_query(name):
    tokens[0] += 1
    ident = (os.getpid() * 31 + tokens[0]) & 0xffff
    labels = b''.join(bytes([len(part)]) + part.encode() for part in name.rstrip('.').split('.'))
    return bytes([ident >> 8, ident & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + labels + b'\0\0\1\0\1'


def dns_answer(query, d):
    """RCODE and the A records of a reply to `query`; None if it is no reply to it."""
    if len(d) < 12 or d[:2] != query[:2] or not d[2] & 128:
        return None
    at, found = len(query), []
    for _ in range(d[6] << 8 | d[7]):
        while at < len(d) and d[at] and d[at] < 192:
            at += 1 + d[at]
        at += 2 if at < len(d) and d[at] else 1
        if at + 10 > len(d):
            break
        size = d[at + 8] << 8 | d[at + 9]
        if d[at:at + 4] == b'\0\1\0\1' and size == 4:
            found.append('.'.join(str(c) for c in d[at + 10:at + 14]))
        at += 10 + size
    rcode = d[3] & 15
    return '%s %s' % (RCODES.get(rcode, 'RCODE%d' % rcode), ','.join(sorted(found)) or '-')


def dnsudp(ip, port, until, name):
    query = dns_query(name)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    got, reason = yield from exchange_udp(s, (ip, port), until, query, lambda d: dns_answer(query, d))
    return (False, reason) if got is None else (True, got)


def dnstcp(ip, port, until, name):
    query = dns_query(name)
    framed = bytes([len(query) >> 8, len(query) & 255]) + query
    data, reason = yield from exchange_tcp(ip, port, until, framed, lambda d: len(d) > 2 and len(d) >= 2 + (d[0] << 8 | d[1]))
    got = data and dns_answer(query, data[2:])
    return (True, got) if got else (False, reason or 'closed')


def worker(state, attempt, ip, port, until, patience):
    """One of several that connect to a Service again and again, until all its endpoints have answered."""
    while not state['done']:
        ok, text = yield from attempt(ip, port, min(until, now() + patience))
        if ok:
            state['answers'] += 1
            state['seen'].add(text.split(' ')[0])
        else:
            state['why'] = text
        seen = state['seen']
        if not state['done'] and (len(seen) >= state['want'] or now() >= until):
            state['done'] = True
            names = ','.join(sorted(seen)) or '-'
            if len(seen) >= state['want']:
                state['report'](True, names)
            else:
                state['report'](False, '%s %s %d' % ('missed' if seen else state['why'], names, state['answers']))
        if not state['done'] and (not ok or state['answers'] >= state['limit']):
            yield None, '', min(until, now() + 0.1)  # proxy rules may still be on their way, so there is no giving up early


class Loop:
    def __init__(self):
        self.waiting = {}
        self.asleep = []
        self.poll = select.poll()

    def step(self, gen, ready):
        try:
            s, way, until = gen.send(ready)
        except StopIteration:
            return
        if s is None:
            self.asleep.append((until, gen))
        else:
            fd = s.fileno()
            self.waiting[fd] = (until, gen)
            self.poll.register(fd, select.POLLIN if way == 'r' else select.POLLOUT)

    def turn(self):
        dues = [w[0] for w in self.waiting.values()] + [w[0] for w in self.asleep]
        ready = self.poll.poll(max(0, (min(dues) - now()) * 1000 + 1)) if dues else []
        for fd in [fd for fd, _ in ready]:
            self.resume(fd, True)
        t = now()
        for fd in [fd for fd, w in self.waiting.items() if w[0] <= t]:
            self.resume(fd, False)
        late = [w for w in self.asleep if w[0] <= t]
        self.asleep = [w for w in self.asleep if w[0] > t]
        for _, gen in late:
            self.step(gen, True)

    def resume(self, fd, ready):
        if fd in self.waiting:
            _, gen = self.waiting.pop(fd)
            self.poll.unregister(fd)
            self.step(gen, ready)


def client(seconds):
    todo = [line.split() for line in sys.stdin if line.strip()]
    loop, left, running = Loop(), len(todo), [0]

    def start(words):
        ident, kind, ip = words[:3]
        began = now()
        until = began + seconds
        running[0] += 1

        def report(ok, text):
            running[0] -= 1
            say('r %s %s %d %s' % (ident, 'ok' if ok else 'fail', (now() - began) * 1000, text))

        def single(gen):
            try:
                ok, text = yield from gen
            except OSError as e:
                ok, text = False, why(e.errno)
            report(ok, text)
        if kind in ('svctcp', 'svcudp'):
            want = int(words[4])
            state = {'seen': set(), 'answers': 0, 'why': 'timeout', 'done': False, 'report': report,
                     'want': want, 'limit': 16 * want + 32}
            for _ in range(min(2 * want, 16)):
                loop.step(worker(state, tcp if kind == 'svctcp' else udp, ip, int(words[3]), until, seconds / 2), None)
        elif kind == 'icmp':
            loop.step(single(icmp(ip, until)), None)
        elif kind in ('dnsudp', 'dnstcp'):
            loop.step(single((dnsudp if kind == 'dnsudp' else dnstcp)(ip, int(words[3]), until, words[4])), None)
        else:
            loop.step(single({'tcp': tcp, 'udp': udp, 'http': http}[kind](ip, int(words[3]), until)), None)
    while todo or running[0]:
        while todo and running[0] < AT_ONCE:
            start(todo.pop(0))
        if running[0]:
            loop.turn()
    say('end %d' % left)


try:
    if sys.argv[1] == 'server':
        serve(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    else:
        client(float(sys.argv[2]))
except (BrokenPipeError, KeyboardInterrupt):
    pass
except OSError as e:
    say('error %s: %s' % (' '.join(sys.argv[1:4]), e.strerror))
    os._exit(1)
os._exit(0)
