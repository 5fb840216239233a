# The same as trace-send.py where there is no Python. perl-base is enough.
use strict;
use warnings;
use Socket;
use Errno qw(EINPROGRESS ECONNREFUSED EHOSTUNREACH ENETUNREACH ECONNRESET ETIMEDOUT EPERM EACCES);

my ($protocol, $ip, $port, $source, $seconds) = @ARGV;
my %reasons = (
    ECONNREFUSED, 'refused', EHOSTUNREACH, 'unreachable', ENETUNREACH, 'unreachable',
    ECONNRESET, 'reset', ETIMEDOUT, 'timeout', EPERM, 'denied', EACCES, 'denied',
);

sub answer { print "answer $_[0]\n"; exit 0 }
sub failed { my ($error) = @_; answer($reasons{$error} || "errno-$error") }

sub ready {
    my ($s, $write) = @_;
    my $bits = '';
    vec($bits, fileno($s), 1) = 1;
    return $write ? select(undef, $bits, undef, $seconds) : select($bits, undef, undef, $seconds);
}

my $to = sockaddr_in($protocol eq 'icmp' ? 0 : $port, inet_aton($ip));
my $s;
if ($protocol eq 'tcp') {
    socket($s, PF_INET, SOCK_STREAM, getprotobyname('tcp') || 6) or failed($! + 0);
    setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($s, sockaddr_in($source, INADDR_ANY)) or failed($! + 0);
    local $SIG{ALRM} = sub { answer('timeout') };
    alarm int($seconds + 0.5);
    connect($s, $to) or failed($! + 0);
    alarm 0;
    print 'from ', inet_ntoa((sockaddr_in(getsockname($s)))[1]), "\n";
    answer('connected');
}
elsif ($protocol eq 'udp') {
    socket($s, PF_INET, SOCK_DGRAM, 17) or failed($! + 0);
    bind($s, sockaddr_in($source, INADDR_ANY)) or failed($! + 0);
    connect($s, $to) or failed($! + 0);
    print 'from ', inet_ntoa((sockaddr_in(getsockname($s)))[1]), "\n";
    send($s, 'k8snet-trace', 0) or failed($! + 0);
    answer('silent') unless ready($s, 0);
    my $data;
    defined recv($s, $data, 4096, 0) or failed($! + 0);
    answer('answered');
}
else {
    socket($s, PF_INET, SOCK_RAW, 1) or failed($! + 0);
    my $body = pack('CCnnn', 8, 0, 0, $source, 1) . 'k8snet--';
    my $total = 0;
    $total += $_ for unpack('n*', $body);
    $total = ($total & 0xffff) + ($total >> 16) for 1 .. 2;
    substr($body, 2, 2) = pack('n', ~$total & 0xffff);
    connect($s, $to) or failed($! + 0);
    send($s, $body, 0) or failed($! + 0);
    my $end = time + $seconds;
    while (time <= $end && ready($s, 0)) {
        my $data;
        defined recv($s, $data, 4096, 0) or failed($! + 0);
        my $inner = substr($data, (ord($data) & 15) * 4);
        answer('answered') if substr($inner, 0, 1) eq "\0" && substr($inner, 4, 2) eq pack('n', $source);
    }
    answer('timeout');
}
