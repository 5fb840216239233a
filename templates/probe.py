# The probe program of `k8snet verify`: a tiny server, and a client that runs many probes side by side.
# Python 3.6 or newer, also python3-minimal and platform-python: only builtin modules. probe.pl speaks the same protocol.
#
#   server NAME PORT SECONDS [ADDRESS]  answers on TCP and UDP with its name and the address it saw, until nobody reads its stdout;
#                              on TCP PORT+80 with 8000 bytes of padding before that line
#   client SECONDS             reads probes from stdin, prints one line for each, then `end`
#
# Probes, one per line:             what `ok` says               `fail` says why: timeout refused unreachable reset
#   ID tcp IP PORT                  NAME SEEN                    closed denied errno-N, or missed (svc): WHY NAMES N
#   ID udp IP PORT                  NAME SEEN
#   ID trytcp|tryudp IP PORT        NAME SEEN, by a new socket every 0.7 s until one is answered
#   ID icmp IP                      IP
#   ID svctcp|svcudp IP PORT COUNT  NAME,NAME,... once COUNT of them answered
#   ID spreadtcp|spreadudp IP PORT N,AT-ONCE   NAME=COUNT,... SEEN,... FAILED WHY: N connections, each of a socket of its own
#   ID bigtcp IP PORT               NAME SEEN, read to the end
#   ID bigudp IP PORT SIZE          NAME SEEN: a datagram of SIZE bytes there and back; 0: what one packet just holds
#   ID frag IP PORT                 MTU N CREATED JOINED: what N full packets added to Ip.FragCreates here, Ip.ReasmOKs there
#   ID dnsudp|dnstcp IP PORT NAME   RCODE ADDRESS,ADDRESS,...
#   ID search IP PORT NAME,NAME     RCODE ADDRESS,... of the first name that has any, asked for as a C library does
#   ID connect NAME|IP PORT SERVER  IP; SERVER is the DNS server to ask for the name
#   ID move IP PORT N,GONE          N: N sockets ask again and again until all that GONE answered got another answer;
#                                   says `s ID` once all have been answered, GONE among those who did (until it is, they
#                                   begin anew: its rules may be on their way); fail: never, or kept K M
#   ID http IP PORT                 the first line of whatever came back
# ID/SECONDS gives a probe a time of its own. Results: `r ID ok|fail MILLISECONDS TEXT`
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
BIG = 8000
PATIENCE = 2  # seconds for one connection of many
BURST = 8


def say(line):
    os.write(1, (line + '\n').encode('ascii', 'replace'))


def why(error):
    return REASONS.get(error, 'errno-%d' % error)


# server

def serve(name, port, seconds, address=''):
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((address, port))
    tcp.listen(256)
    big = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    big.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    big.bind((address, port + 80))
    big.listen(64)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, port))
    poll = select.poll()
    for s in (tcp, big, udp):
        s.setblocking(False)
        poll.register(s.fileno(), select.POLLIN)
    say('ready %s' % name)
    end, beat = now() + seconds, now() + 1
    while now() < end:
        for fd, _ in poll.poll(max(0, (beat - now()) * 1000)):
            try:
                if fd == udp.fileno():
                    data, peer = udp.recvfrom(65535)
                    answer(udp, name, data, peer)
                    continue
                client, peer = (tcp if fd == tcp.fileno() else big)._accept()
                client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, client)
                client.setblocking(False)
                padding = b'x' * BIG + b' ' if fd == big.fileno() else b''
                client.send(padding + ('%s %s\n' % (name, peer[0])).encode())
                client.close()
            except OSError:
                pass
        if now() >= beat:
            say('alive')  # fails once the channel is gone, and that ends the program
            beat = now() + 1


def answer(udp, name, data, peer):
    """To `count ...` the counters of fragments, to `drop ...` nothing; what is large gets an answer just as large."""
    if data.startswith(b'drop '):
        return
    end = (' %d %d' % fragments() if data.startswith(b'count ') else ' %s %s' % (name, peer[0])).encode()
    udp.sendto((data[:-len(end)] if len(data) > 512 else data) + end, peer)


def fragments():
    """Ip.FragCreates and Ip.ReasmOKs of the host, whatever network this process is in; -1 where they cannot be read."""
    try:
        with open('/proc/1/net/snmp', 'rb') as f:
            names, values = [line.split() for line in f if line.startswith(b'Ip:')]
        return int(values[names.index(b'FragCreates')]), int(values[names.index(b'ReasmOKs')])
    except (OSError, ValueError):
        return -1, -1


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
                got = answer(s.recv(65535))
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


def new_token():
    tokens[0] += 1
    return b'k8snet-%d-%d ' % (os.getpid(), tokens[0])


def udp(ip, port, until):
    token = new_token()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    data, reason = yield from exchange_udp(s, (ip, port), until, token, lambda d: d[len(token):] if d.startswith(token) else None)
    return (False, reason) if data is None else (True, data.decode('ascii', 'replace').strip())


def bigtcp(ip, port, until):
    data, reason = yield from exchange_tcp(ip, port, until, b'', lambda d: d.endswith(b'\n'))
    return (False, reason) if data is None else (True, ' '.join(data.decode('ascii', 'replace').split()[-2:]))


def bigudp(ip, port, until, size):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((ip, port))
    size = size or s.getsockopt(socket.IPPROTO_IP, 14) - 28
    token = new_token()
    data, reason = yield from exchange_udp(s, (ip, port), until, token + b'x' * (size - len(token)),
                                           lambda d: d if d.startswith(token) and len(d) == size else None)
    return (False, reason) if data is None else (True, ' '.join(data[-99:].decode('ascii', 'replace').split()[-2:]))


def count(ip, port, until):
    token = b'count ' + new_token()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    got, reason = yield from exchange_udp(s, (ip, port), until, token, lambda d: d[len(token):] if d.startswith(token) else None)
    return (None, reason) if got is None else (int(got.split()[1]), '')


def frag(ip, port, until):
    """Sends bursts of packets as large as the interface takes, with leave to cut them into fragments, whatever the kernel has
    learned of the way. One burst without fragments is enough to be sure; those of another may be somebody else's."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_IP, 10, 4)  # IP_MTU_DISCOVER: IP_PMTUDISC_INTERFACE
        s.connect((ip, port))
        mtu = s.getsockopt(socket.IPPROTO_IP, 14)
        for _ in range(4):
            there, reason = yield from count(ip, port, until)
            if there is None:
                return False, reason
            here = fragments()[0]
            if here < 0 or there < 0:
                return False, 'unreadable'
            for _ in range(BURST):
                s.send(b'drop ' + b'x' * (mtu - 33))
            made = fragments()[0] - here
            joined, reason = yield from count(ip, port, until)
            if joined is None:
                return False, reason
            if made < 2 * BURST and joined - there < BURST:
                break
            yield None, '', now() + 0.05
        return True, '%d %d %d %d' % (mtu, BURST, made, joined - there)
    finally:
        s.close()


def again(attempt, ip, port, until):
    while True:
        ok, text = yield from attempt(ip, port, min(until, now() + 0.7))
        if ok or now() >= until - 0.2:
            return ok, text
        yield None, '', now() + 0.1
        if now() >= until - 0.05:
            return ok, text  # one more would have no time, and say nothing but `timeout`


def connect(name, port, until, server):
    ip = name
    if not all(c in '0123456789.' for c in name):
        got, reason = yield from dnsudp(server, 53, until, name)
        ip = reason.split(' ')[1].split(',')[0] if got else '-'
        if ip == '-':
            return False, 'dns: %s' % reason
    s, reason = yield from connected(ip, port, until)
    if not s:
        return False, reason
    s.close()
    return True, ip


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


def dns_query(name, kind=1):
    tokens[0] += 1
    ident = (os.getpid() * 31 + tokens[0]) & 0xffff
    labels = b''.join(bytes([len(part)]) + part.encode() for part in name.rstrip('.').split('.'))
    return bytes([ident >> 8, ident & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + labels + bytes([0, 0, kind, 0, 1])


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


def search(ip, port, until, names):
    """As a C library does: A and AAAA at once from one port, both again after 5 s, the next name when there is none."""
    text = 'timeout'
    for name in names:
        queries = [dns_query(name), dns_query(name, 28)]
        got = {}

        def reply(d):
            for i in (0, 1):
                said = dns_answer(queries[i], d)
                if said:
                    got[i] = said
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            s.setblocking(False)
            s.connect((ip, port))
            while len(got) < 2:
                for query in queries:
                    s.send(query)
                pause = min(until, now() + 5)
                while len(got) < 2 and (yield s, 'r', pause):
                    reply(s.recv(65535))
                if len(got) < 2 and now() >= until:
                    return False, 'timeout'
        finally:
            s.close()
        text = got[0]
        if not text.endswith(' -'):
            break
    return True, text


def spreader(state, attempt, ip, port, until):
    while state['todo'] and now() < state['last']:
        state['todo'] -= 1
        ok, text = yield from attempt(ip, port, min(until, now() + PATIENCE))
        if ok:
            name, seen = text.split(' ')[:2]
            state['names'][name] = state['names'].get(name, 0) + 1
            state['seen'].add(seen)
        else:
            state['failed'] += 1
            state['why'] = text
    state['workers'] -= 1
    if not state['workers']:
        names = ','.join('%s=%d' % pair for pair in sorted(state['names'].items()))
        ok = names != ''
        state['report'](ok, '%s %s %d %s' % (names, ','.join(sorted(state['seen'])), state['failed'], state['why']) if ok else state['why'])


def mover(state, ip, port, until):
    s, token, last, had = None, new_token(), '', False
    while not state['done']:
        if not s:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setblocking(False)
            s.connect((ip, port))
        pause = min(until, now() + 0.15)
        try:
            s.send(token)
            if (yield s, 'r', pause):
                data = s.recv(512)
                if data.startswith(token):
                    name = data[len(token):].decode('ascii', 'replace').split()[0]
                    if not last:
                        state['first'] -= 1
                    if name == state['gone'] and not had:
                        had = True
                        state['had'] += 1
                    if had and name != last:
                        state['kept'] += 1 if name == state['gone'] else -1
                    last = name
                    if state['had'] and not state['first'] and not state['begun']:
                        state['begun'] = True
                        say('s %s' % state['ident'])
        except OSError:
            pass  # nobody is there for the moment
        if last and not state['had']:
            s.close()
            s = None  # the kernel leads an old flow where it was led before
        if not state['done'] and state['had'] and not state['kept'] and not state['first']:
            state['done'] = True
            state['report'](True, str(state['had']))
        elif not state['done'] and now() >= until:
            state['done'] = True
            state['report'](False, 'kept %d %d' % (state['kept'], state['had']) if state['had'] else 'timeout' if state['first'] else 'never')
        if not state['done']:
            yield None, '', pause
    if s:
        s.close()


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
        ident, _, own = words[0].partition('/')
        kind, ip = words[1:3]
        port, more = [int(words[3]) if len(words) > 3 else 0, words[4] if len(words) > 4 else '']
        began = now()
        until = began + (float(own) if own else seconds)
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
            want = int(more)
            state = {'seen': set(), 'answers': 0, 'why': 'timeout', 'done': False, 'report': report,
                     'want': want, 'limit': 16 * want + 32}
            for _ in range(min(2 * want, 16)):
                loop.step(worker(state, tcp if kind == 'svctcp' else udp, ip, port, until, seconds / 2), None)
        elif kind in ('spreadtcp', 'spreadudp'):
            total, at_once = [int(part) for part in more.split(',')]
            state = {'todo': total, 'last': max(began + 0.1, until - PATIENCE), 'workers': at_once, 'names': {}, 'seen': set(), 'failed': 0, 'why': '-', 'report': report}
            for _ in range(at_once):
                loop.step(spreader(state, tcp if kind == 'spreadtcp' else udp, ip, port, until), None)
        elif kind == 'move':
            total, gone = more.split(',')
            state = {'ident': ident, 'gone': gone, 'first': int(total), 'had': 0, 'kept': 0, 'begun': False, 'done': False, 'report': report}
            for _ in range(int(total)):
                loop.step(mover(state, ip, port, until), None)
        elif kind == 'icmp':
            loop.step(single(icmp(ip, until)), None)
        elif kind in ('trytcp', 'tryudp'):
            loop.step(single(again(tcp if kind == 'trytcp' else udp, ip, port, until)), None)
        elif kind == 'bigudp':
            loop.step(single(bigudp(ip, port, until, int(more))), None)
        elif kind == 'search':
            loop.step(single(search(ip, port, until, more.split(','))), None)
        elif kind in ('dnsudp', 'dnstcp', 'connect'):
            loop.step(single({'dnsudp': dnsudp, 'dnstcp': dnstcp, 'connect': connect}[kind](ip, port, until, more)), None)
        else:
            loop.step(single({'tcp': tcp, 'udp': udp, 'http': http, 'bigtcp': bigtcp, 'frag': frag}[kind](ip, port, until)), None)
    while todo or running[0]:
        while todo and running[0] < AT_ONCE:
            start(todo.pop(0))
        if running[0]:
            loop.turn()
    say('end %d' % left)


try:
    if sys.argv[1] == 'server':
        serve(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), *sys.argv[5:])
    else:
        client(float(sys.argv[2]))
except (BrokenPipeError, KeyboardInterrupt):
    pass
except OSError as e:
    say('error %s: %s' % (' '.join(sys.argv[1:4]), e.strerror))
    os._exit(1)
os._exit(0)
