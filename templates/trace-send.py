# Sends one packet for `k8snet trace --live` and says what came back. Python 3.6 or newer, builtin modules only.
#   PROTOCOL IP PORT SOURCE-PORT SECONDS      prints: answer WORD TEXT
import _socket as socket
import errno
import select
import sys
import time

protocol, ip, port, source, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
REASONS = {
    errno.ECONNREFUSED: 'refused', errno.EHOSTUNREACH: 'unreachable', errno.ENETUNREACH: 'unreachable',
    errno.ECONNRESET: 'reset', errno.ETIMEDOUT: 'timeout', errno.EPERM: 'denied', errno.EACCES: 'denied',
}


def wait(s, way):
    poll = select.poll()
    poll.register(s.fileno(), way)
    return bool(poll.poll(seconds * 1000))


def tcp():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('', source))
    s.setblocking(False)
    error = s.connect_ex((ip, port))
    if error == errno.EINPROGRESS:
        error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if wait(s, select.POLLOUT) else errno.ETIMEDOUT
    if error:
        raise OSError(error, '')
    print('from %s' % s.getsockname()[0])
    return 'connected'


def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('', source))
    s.connect((ip, port))
    print('from %s' % s.getsockname()[0])
    s.send(b'k8snet-trace')
    if not wait(s, select.POLLIN):
        return 'silent'
    s.recv(4096)
    return 'answered'


def icmp():
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    body = bytes([8, 0, 0, 0, source >> 8, source & 255, 0, 1]) + b'k8snet--'
    total = sum(body[i] << 8 | body[i + 1] for i in range(0, len(body), 2))
    total = (total & 0xffff) + (total >> 16)
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    s.connect((ip, 0))
    s.send(body[:2] + bytes([total >> 8, total & 255]) + body[4:])
    end = time.monotonic() + seconds
    while time.monotonic() < end and wait(s, select.POLLIN):
        packet = s.recv(4096)
        inner = packet[(packet[0] & 15) * 4:]
        if inner[:1] == b'\0' and inner[4:6] == body[4:6]:
            return 'answered'
    return 'timeout'


try:
    print('answer %s' % {'tcp': tcp, 'udp': udp, 'icmp': icmp}[protocol]())
except OSError as e:
    print('answer %s' % REASONS.get(e.errno, 'errno-%d' % e.errno))
