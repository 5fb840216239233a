# The probe program of `k8snet verify` for hosts without Python: perl-base is enough.
# The same protocol as probe.py, which describes it; keep the two alike.
use strict;
use warnings;
use Errno qw(ECONNREFUSED EHOSTUNREACH ENETUNREACH ECONNRESET EPIPE EPERM EACCES ETIMEDOUT EINPROGRESS);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use POSIX ();
use Socket;

my %REASONS = (
    ECONNREFUSED, 'refused', EHOSTUNREACH, 'unreachable', ENETUNREACH, 'unreachable', ECONNRESET, 'reset',
    EPIPE, 'reset', EPERM, 'denied', EACCES, 'denied', ETIMEDOUT, 'timeout',
);
my %RCODES = (0, 'NOERROR', 1, 'FORMERR', 2, 'SERVFAIL', 3, 'NXDOMAIN', 5, 'REFUSED');
my @RESEND = (0.4, 0.6);    # seconds between a datagram and its repeats
my $AT_ONCE = 200;
my ($BIG, $BURST) = (8000, 8);
my $PATIENCE = 2;    # seconds for one connection of many
my $fine_clock = eval { require Time::HiRes; Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()); 1 };
my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());

sub now { return $fine_clock ? Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) : (POSIX::times())[0] / $ticks }
sub say_ { syswrite(STDOUT, "$_[0]\n") or exit 0 }
sub why { my $error = $_[0] + 0; return $REASONS{$error} || "errno-$error" }
sub min { return $_[0] < $_[1] ? $_[0] : $_[1] }

sub new_socket {
    my ($type, $protocol) = @_;
    socket(my $s, PF_INET, $type, $protocol) or return undef;
    fcntl($s, F_SETFL, fcntl($s, F_GETFL, 0) | O_NONBLOCK);
    return $s;
}

# server

sub serve {
    my ($name, $port, $seconds, $address) = @_;
    my $ip = $address ? inet_aton($address) : INADDR_ANY;
    my $tcp = new_socket(SOCK_STREAM, 0) or die "$!\n";
    setsockopt($tcp, SOL_SOCKET, SO_REUSEADDR, 1);
    my $here = pack_sockaddr_in($port, $ip);
    bind($tcp, $here) && listen($tcp, 256) or die "$!\n";
    my $big = new_socket(SOCK_STREAM, 0) or die "$!\n";
    setsockopt($big, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($big, pack_sockaddr_in($port + 80, $ip)) && listen($big, 64) or die "$!\n";
    my $udp = new_socket(SOCK_DGRAM, 0) or die "$!\n";
    bind($udp, $here) or die "$!\n";
    my $watch = '';
    vec($watch, fileno($_), 1) = 1 for $tcp, $big, $udp;
    say_("ready $name");
    my ($end, $beat) = (now() + $seconds, now() + 1);
    while (now() < $end) {
        my $pause = $beat - now();
        select(my $ready = $watch, undef, undef, $pause > 0 ? $pause : 0);
        for ($tcp, $big) {
            if (vec($ready, fileno($_), 1) and my $peer = accept(my $client, $_)) {
                my $seen = inet_ntoa((unpack_sockaddr_in($peer))[1]);
                fcntl($client, F_SETFL, fcntl($client, F_GETFL, 0) | O_NONBLOCK);
                syswrite($client, ($_ == $big ? 'x' x $BIG . ' ' : '') . "$name $seen\n");
                close($client);
            }
        }
        if (vec($ready, fileno($udp), 1) and my $peer = recv($udp, my $data, 65535, 0)) {
            answer($udp, $name, $data, $peer);
        }
        if (now() >= $beat) {
            say_('alive');    # fails once the channel is gone, and that ends the program
            $beat = now() + 1;
        }
    }
    return;
}

# To `count ...` the counters of fragments, to `drop ...` nothing; what is large gets an answer just as large.
sub answer {
    my ($udp, $name, $data, $peer) = @_;
    return if $data =~ /^drop /;
    my $seen = inet_ntoa((unpack_sockaddr_in($peer))[1]);
    my $end = $data =~ /^count / ? join(' ', '', fragments()) : " $name $seen";
    send($udp, (length $data > 512 ? substr($data, 0, length($data) - length $end) : $data) . $end, 0, $peer);
    return;
}

# Ip.FragCreates and Ip.ReasmOKs of the host, whatever network this process is in; -1 where they cannot be read.
sub fragments {
    open(my $file, '<', '/proc/1/net/snmp') or return (-1, -1);
    my ($names, $values) = map { [split] } grep { /^Ip:/ } <$file>;
    return (-1, -1) if !$values;
    my %of;
    @of{@$names} = @$values;
    return map { defined ? $_ : -1 } @of{qw(FragCreates ReasmOKs)};
}

# client: what waits for a socket is { s, way, until, then }; `then` is told whether the socket is ready or it is too late

my (%waiting, @asleep);

sub wait_for { my ($s, $way, $until, $then) = @_; $waiting{fileno($s)} = { s => $s, way => $way, until => $until, then => $then }; return }
sub wait_until { my ($until, $then) = @_; push @asleep, { until => $until, then => $then }; return }

sub turn {
    my ($r, $w) = ('', '');
    my $due;
    for (values(%waiting), @asleep) { $due = $_->{until} if !defined $due || $_->{until} < $due }
    return if !defined $due;
    for my $fd (keys %waiting) { if ($waiting{$fd}{way} eq 'r') { vec($r, $fd, 1) = 1 } else { vec($w, $fd, 1) = 1 } }
    my $pause = $due - now();
    my $found = select($r, $w, undef, $pause > 0 ? $pause : 0);
    if ($found > 0) {
        for my $fd (keys %waiting) {
            resume($fd, 1) if vec($waiting{$fd}{way} eq 'r' ? $r : $w, $fd, 1);
        }
    }
    my $t = now();
    for my $fd (keys %waiting) { resume($fd, 0) if $waiting{$fd} && $waiting{$fd}{until} <= $t }
    my @late = grep { $_->{until} <= $t } @asleep;
    @asleep = grep { $_->{until} > $t } @asleep;
    $_->{then}->() for @late;
    return;
}

sub resume { my ($fd, $ready) = @_; my $it = delete $waiting{$fd}; $it->{then}->($ready); return }

# Each probe ends in $done->(ok, text).

sub connected {
    my ($ip, $port, $until, $then) = @_;
    my $s = new_socket(SOCK_STREAM, 0) or return $then->(undef, why($!));
    return $then->($s, '') if connect($s, pack_sockaddr_in($port, inet_aton($ip)));
    return $then->(undef, why($!)) if $! != EINPROGRESS;
    wait_for($s, 'w', $until, sub {
        my $error = $_[0] ? unpack('i', getsockopt($s, SOL_SOCKET, SO_ERROR)) : ETIMEDOUT;
        return $error ? $then->(undef, why($error)) : $then->($s, '');
    });
    return;
}

sub exchange_tcp {
    my ($ip, $port, $until, $request, $complete, $done) = @_;
    connected($ip, $port, $until, sub {
        my ($s, $reason) = @_;
        return $done->(undef, $reason) if !$s;
        if ($request ne '') { defined syswrite($s, $request) or return $done->(undef, why($!)) }
        my $data = '';
        my $more;
        $more = sub {
            if (!$_[0]) { undef $more; return $done->(undef, 'timeout') }
            my $n = sysread($s, my $piece, 4096);
            if (!$n) { my $reason = defined $n ? 'closed' : why($!); undef $more; return $done->(undef, $reason) }
            $data .= $piece;
            if ($complete->($data)) { undef $more; return $done->($data, '') }
            wait_for($s, 'r', $until, $more);
            return;
        };
        wait_for($s, 'r', $until, $more);
    });
    return;
}

# Sends $request, again after a while, until $answer makes something of a datagram.
sub exchange_udp {
    my ($s, $ip, $port, $until, $request, $answer, $done) = @_;
    return $done->(undef, why($!)) if !$s || !connect($s, pack_sockaddr_in($port, inet_aton($ip)));
    my @pauses = @RESEND;
    my ($again, $send, $more);
    my $finish = sub { undef $send; undef $more; return $done->(@_) };
    $more = sub {
        if (!$_[0]) { return $again >= $until ? $finish->(undef, 'timeout') : $send->() }
        defined recv($s, my $data, 65535, 0) or return $finish->(undef, why($!));
        my $got = $answer->($data);
        return $finish->($got, '') if defined $got;
        wait_for($s, 'r', $again, $more);
        return;
    };
    $send = sub {
        defined send($s, $request, 0) or return $finish->(undef, why($!));
        $again = @pauses ? min($until, now() + shift @pauses) : $until;
        wait_for($s, 'r', $again, $more);
        return;
    };
    return $send->();
}

sub trim { my ($text) = @_; $text =~ s/^\s+|\s+$//g; $text =~ s/[^\x20-\x7e]/?/g; return $text }

sub tcp {
    my ($ip, $port, $until, $done) = @_;
    exchange_tcp($ip, $port, $until, '', sub { $_[0] =~ /\n\z/ }, sub {
        return defined $_[0] ? $done->(1, trim($_[0])) : $done->(0, $_[1]);
    });
    return;
}

my $tokens = 0;

sub new_token { return sprintf('k8snet-%d-%d ', $$, ++$tokens) }

sub udp {
    my ($ip, $port, $until, $done) = @_;
    my $token = new_token();
    exchange_udp(new_socket(SOCK_DGRAM, 0), $ip, $port, $until, $token,
        sub { index($_[0], $token) == 0 ? substr($_[0], length $token) : undef },
        sub { return defined $_[0] ? $done->(1, trim($_[0])) : $done->(0, $_[1]) });
    return;
}

sub last_two { return join(' ', (split ' ', trim($_[0]))[-2, -1]) }

sub bigtcp {
    my ($ip, $port, $until, $done) = @_;
    exchange_tcp($ip, $port, $until, '', sub { $_[0] =~ /\n\z/ }, sub {
        return defined $_[0] ? $done->(1, last_two($_[0])) : $done->(0, $_[1]);
    });
    return;
}

sub path_mtu { return unpack('i', getsockopt($_[0], Socket::IPPROTO_IP(), 14)) }

sub bigudp {
    my ($ip, $port, $until, $size, $done) = @_;
    my $s = new_socket(SOCK_DGRAM, 0);
    return $done->(0, why($!)) if !$s || !connect($s, pack_sockaddr_in($port, inet_aton($ip)));
    $size ||= path_mtu($s) - 28;
    my $token = new_token();
    exchange_udp($s, $ip, $port, $until, $token . 'x' x ($size - length $token),
        sub { index($_[0], $token) == 0 && length $_[0] == $size ? $_[0] : undef },
        sub { return defined $_[0] ? $done->(1, last_two($_[0])) : $done->(0, $_[1]) });
    return;
}

sub count {
    my ($ip, $port, $until, $done) = @_;
    my $token = 'count ' . new_token();
    exchange_udp(new_socket(SOCK_DGRAM, 0), $ip, $port, $until, $token,
        sub { index($_[0], $token) == 0 ? (split ' ', substr($_[0], length $token))[1] : undef }, $done);
    return;
}

# Sends bursts of packets as large as the interface takes, with leave to cut them into fragments, whatever the kernel has
# learned of the way. One burst without fragments is enough to be sure; those of another may be somebody else's.
sub frag {
    my ($ip, $port, $until, $done) = @_;
    my $s = new_socket(SOCK_DGRAM, 0);
    return $done->(0, why($!)) if !$s || !connect($s, pack_sockaddr_in($port, inet_aton($ip)));
    setsockopt($s, Socket::IPPROTO_IP(), 10, pack('i', 4));    # IP_MTU_DISCOVER: IP_PMTUDISC_INTERFACE
    my ($mtu, $left) = (path_mtu($s), 4);
    my $turn;
    my $finish = sub { undef $turn; return $done->(@_) };
    $turn = sub {
        count($ip, $port, $until, sub {
            my ($there, $reason) = @_;
            return $finish->(0, $reason) if !defined $there;
            my $here = (fragments())[0];
            return $finish->(0, 'unreadable') if $here < 0 || $there < 0;
            for (1 .. $BURST) { defined send($s, 'drop ' . 'x' x ($mtu - 33), 0) or return $finish->(0, why($!)) }
            my $made = (fragments())[0] - $here;
            count($ip, $port, $until, sub {
                my ($joined, $reason) = @_;
                return $finish->(0, $reason) if !defined $joined;
                my $whole = $made < 2 * $BURST && $joined - $there < $BURST;
                return $finish->(1, join ' ', $mtu, $BURST, $made, $joined - $there) if $whole || !--$left;
                wait_until(now() + 0.05, $turn);
            });
        });
        return;
    };
    return $turn->();
}

sub again {
    my ($attempt, $ip, $port, $until, $done) = @_;
    $attempt->($ip, $port, min($until, now() + 0.7), sub {
        my @said = @_;
        return $done->(@said) if $said[0] || now() >= $until - 0.2;
        my @once_more = ($attempt, $ip, $port, $until, $done);
        # one more may have no time, and say nothing but `timeout`
        wait_until(now() + 0.1, sub { now() >= $until - 0.05 ? $done->(@said) : again(@once_more) });
    });
    return;
}

sub connect_to {
    my ($name, $port, $until, $server, $done) = @_;
    my $to = sub {
        my ($ip) = @_;
        connected($ip, $port, $until, sub { return $_[0] ? $done->(1, $ip) : $done->(0, $_[1]) });
        return;
    };
    return $to->($name) if $name !~ /[^0-9.]/;
    dnsudp($server, 53, $until, $name, sub {
        my ($ok, $text) = @_;
        my $ip = $ok ? (split /[ ,]/, $text)[1] : '-';
        return $ip eq '-' ? $done->(0, "dns: $text") : $to->($ip);
    });
    return;
}

sub icmp {
    my ($ip, $until, $done) = @_;
    my ($ident, $seq) = ($$ & 0xffff, ++$tokens & 0xffff);
    my $total = 0;
    $total += $_ for unpack('n*', pack('CCnnn', 8, 0, 0, $ident, $seq) . 'k8snet--');
    $total = ($total & 0xffff) + ($total >> 16);
    my $sum = ~(($total & 0xffff) + ($total >> 16)) & 0xffff;
    my $body = pack('CCnnn', 8, 0, $sum, $ident, $seq) . 'k8snet--';
    exchange_udp(new_socket(SOCK_RAW, Socket::IPPROTO_ICMP()), $ip, 0, $until, $body, sub {
        my $inner = substr($_[0], (ord($_[0]) & 15) * 4);
        return substr($inner, 0, 1) eq "\0" && substr($inner, 4, 4) eq substr($body, 4, 4) ? 1 : undef;
    }, sub { return $_[0] ? $done->(1, $ip) : $done->(0, $_[1]) });
    return;
}

sub http {
    my ($ip, $port, $until, $done) = @_;
    exchange_tcp($ip, $port, $until, "GET / HTTP/1.0\r\n\r\n", sub { length $_[0] }, sub {
        return $done->(0, $_[1]) if !defined $_[0];
        my $line = substr((split /[\r\n]/, $_[0])[0], 0, 60);
        $line =~ s/[^\x20-\x7e]/./g;
        return $done->(1, $line);
    });
    return;
}

sub dns_query {
    my ($name, $kind) = (@_, 1);
    $name =~ s/\.+\z//;
    my $ident = ($$ * 31 + ++$tokens) & 0xffff;
    return pack('n6', $ident, 0x100, 1, 0, 0, 0) . join('', map { chr(length) . $_ } split /\./, $name) . "\0" . pack('nn', $kind, 1);
}

# RCODE and the A records of a reply to the query; undef if it is no reply to it.
sub dns_answer {
    my ($query, $d) = @_;
    return undef if length $d < 12 || substr($d, 0, 2) ne substr($query, 0, 2) || !(ord(substr($d, 2, 1)) & 128);
    my ($at, @found) = (length $query);
    for (1 .. unpack('n', substr($d, 6, 2))) {
        while ($at < length $d) { my $c = ord substr($d, $at, 1); last if !$c || $c >= 192; $at += 1 + $c }
        $at += $at < length $d && ord(substr($d, $at, 1)) ? 2 : 1;
        last if $at + 10 > length $d;
        my $size = unpack('n', substr($d, $at + 8, 2));
        push @found, join('.', unpack('C4', substr($d, $at + 10, 4))) if substr($d, $at, 4) eq "\0\1\0\1" && $size == 4;
        $at += 10 + $size;
    }
    my $rcode = ord(substr($d, 3, 1)) & 15;
    return ($RCODES{$rcode} || "RCODE$rcode") . ' ' . (join(',', sort @found) || '-');
}

sub dnsudp {
    my ($ip, $port, $until, $name, $done) = @_;
    my $query = dns_query($name);
    exchange_udp(new_socket(SOCK_DGRAM, 0), $ip, $port, $until, $query, sub { dns_answer($query, $_[0]) },
        sub { return defined $_[0] ? $done->(1, $_[0]) : $done->(0, $_[1]) });
    return;
}

sub dnstcp {
    my ($ip, $port, $until, $name, $done) = @_;
    my $query = dns_query($name);
    exchange_tcp($ip, $port, $until, pack('n', length $query) . $query,
        sub { length $_[0] > 2 && length $_[0] >= 2 + unpack('n', $_[0]) },
        sub {
            my $got = defined $_[0] ? dns_answer($query, substr($_[0], 2)) : undef;
            return defined $got ? $done->(1, $got) : $done->(0, $_[1] || 'closed');
        });
    return;
}

# As a C library does: A and AAAA at once from one port, both again after 5 s, the next name when there is none.
sub search {
    my ($ip, $port, $until, $names, $done) = @_;
    my ($name, @others) = @$names;
    my @queries = (dns_query($name), dns_query($name, 28));
    my $s = new_socket(SOCK_DGRAM, 0);
    return $done->(0, why($!)) if !$s || !connect($s, pack_sockaddr_in($port, inet_aton($ip)));
    my (%got, $pause, $ask, $more);
    my $finish = sub { undef $ask; undef $more; return $done->(@_) };
    $more = sub {
        if (!$_[0]) { return now() >= $until ? $finish->(0, 'timeout') : $ask->() }
        defined recv($s, my $data, 65535, 0) or return $finish->(0, why($!));
        for (0, 1) { my $said = dns_answer($queries[$_], $data); $got{$_} = $said if defined $said }
        if (keys %got < 2) { wait_for($s, 'r', $pause, $more); return }
        return $finish->(1, $got{0}) if $got{0} !~ / -$/ || !@others;
        undef $ask;
        undef $more;
        return search($ip, $port, $until, \@others, $done);
    };
    $ask = sub {
        for (@queries) { defined send($s, $_, 0) or return $finish->(0, why($!)) }
        $pause = min($until, now() + 5);
        wait_for($s, 'r', $pause, $more);
        return;
    };
    return $ask->();
}

sub spreader {
    my ($state, $attempt, $ip, $port, $until) = @_;
    if ($state->{todo} && now() < $state->{last}) {
        $state->{todo}--;
        $attempt->($ip, $port, min($until, now() + $PATIENCE), sub {
            my ($ok, $text) = @_;
            my ($name, $seen) = split / /, $text;
            if ($ok) { $state->{names}{$name}++; $state->{seen}{$seen} = 1 }
            else { $state->{failed}++; $state->{why} = $text }
            wait_until(0, sub { spreader($state, $attempt, $ip, $port, $until) });
        });
        return;
    }
    return if --$state->{workers};
    my $names = join(',', map { "$_=$state->{names}{$_}" } sort keys %{ $state->{names} });
    return $state->{report}->(0, $state->{why}) if $names eq '';
    return $state->{report}->(1, join ' ', $names, join(',', sort keys %{ $state->{seen} }), $state->{failed}, $state->{why});
}

sub mover {
    my ($state, $ip, $port, $until) = @_;
    my ($s, $token, $last, $had, $pause) = (undef, new_token(), '', 0);
    my ($ask, $then);
    my $next = sub {
        undef $s if $last ne '' && !$state->{had};    # the kernel leads an old flow where it was led before
        if (!$state->{done} && $state->{had} && !$state->{kept} && !$state->{first}) {
            $state->{done} = 1;
            $state->{report}->(1, $state->{had});
        }
        elsif (!$state->{done} && now() >= $until) {
            $state->{done} = 1;
            $state->{report}->(0, $state->{had} ? "kept $state->{kept} $state->{had}" : $state->{first} ? 'timeout' : 'never');
        }
        if ($state->{done}) { undef $ask; undef $then; return }
        wait_until($pause, $ask);
        return;
    };
    $then = sub {
        my $data = '';
        if ($_[0] && defined recv($s, $data, 512, 0) && index($data, $token) == 0) {
            my ($name) = split ' ', substr($data, length $token);
            $state->{first}-- if $last eq '';
            if ($name eq $state->{gone} && !$had) { $had = 1; $state->{had}++ }
            if ($had && $name ne $last) { $state->{kept} += $name eq $state->{gone} ? 1 : -1 }
            $last = $name;
            if ($state->{had} && !$state->{first} && !$state->{begun}++) { say_("s $state->{ident}") }
        }
        return $next->();
    };
    $ask = sub {
        if ($state->{done}) { undef $ask; undef $then; return }
        if (!$s) {
            $s = new_socket(SOCK_DGRAM, 0);
            connect($s, pack_sockaddr_in($port, inet_aton($ip)));
        }
        $pause = min($until, now() + 0.15);
        return $next->() if !defined send($s, $token, 0);    # nobody is there for the moment
        wait_for($s, 'r', $pause, $then);
        return;
    };
    return $ask->();
}

# One of several that connect to a Service again and again, until all its endpoints have answered.
sub worker {
    my ($state, $attempt, $ip, $port, $until, $patience) = @_;
    return if $state->{done};
    $attempt->($ip, $port, min($until, now() + $patience), sub {
        my ($ok, $text) = @_;
        if ($ok) { $state->{answers}++; $state->{seen}{ (split / /, $text)[0] } = 1 }
        else { $state->{why} = $text }
        return if $state->{done};
        my @seen = sort keys %{ $state->{seen} };
        if (@seen >= $state->{want} || now() >= $until) {
            $state->{done} = 1;
            my $names = join(',', @seen) || '-';
            return $state->{report}->(1, $names) if @seen >= $state->{want};
            return $state->{report}->(0, join ' ', @seen ? 'missed' : $state->{why}, $names, $state->{answers});
        }
        my @again = ($state, $attempt, $ip, $port, $until, $patience);
        # proxy rules may still be on their way, so there is no giving up early
        my $slow = !$ok || $state->{answers} >= $state->{limit};
        wait_until($slow ? min($until, now() + 0.1) : 0, sub { worker(@again) });
    });
    return;
}

sub client {
    my ($seconds) = @_;
    my @todo = map { [split] } grep { /\S/ } <STDIN>;
    my ($left, $running) = (scalar @todo, 0);
    my %simple = (tcp => \&tcp, udp => \&udp, http => \&http, bigtcp => \&bigtcp, frag => \&frag);
    my %asking = (dnsudp => \&dnsudp, dnstcp => \&dnstcp, connect => \&connect_to, bigudp => \&bigudp);
    while (@todo || $running) {
        while (@todo && $running < $AT_ONCE) {
            my ($first, $kind, $ip, $port, $more) = @{ shift @todo };
            my ($ident, $own) = split m{/}, $first;
            my $began = now();
            my $until = $began + ($own || $seconds);
            my $plain = $kind =~ /tcp$/ ? \&tcp : \&udp;
            $running++;
            my $report = sub {
                $running--;
                say_(sprintf 'r %s %s %d %s', $ident, $_[0] ? 'ok' : 'fail', (now() - $began) * 1000, $_[1]);
            };
            if ($kind =~ /^svc/) {
                my $state = { seen => {}, answers => 0, why => 'timeout', done => 0, report => $report, want => $more, limit => 16 * $more + 32 };
                worker($state, $plain, $ip, $port, $until, $seconds / 2) for 1 .. min(2 * $more, 16);
            }
            elsif ($kind =~ /^spread/) {
                my ($total, $at_once) = split /,/, $more;
                my $last = $until - $PATIENCE;
                $last = $began + 0.1 if $last < $began + 0.1;
                my $state = { todo => $total, last => $last, workers => $at_once, names => {}, seen => {}, failed => 0, why => '-', report => $report };
                spreader($state, $plain, $ip, $port, $until) for 1 .. $at_once;
            }
            elsif ($kind eq 'move') {
                my ($total, $gone) = split /,/, $more;
                my $state = { ident => $ident, gone => $gone, first => $total, had => 0, kept => 0, begun => 0, done => 0, report => $report };
                mover($state, $ip, $port, $until) for 1 .. $total;
            }
            elsif ($kind =~ /^try/) { again($plain, $ip, $port, $until, $report) }
            elsif ($kind eq 'search') { search($ip, $port, $until, [split /,/, $more], $report) }
            elsif ($kind eq 'icmp') { icmp($ip, $until, $report) }
            elsif ($asking{$kind}) { $asking{$kind}->($ip, $port, $until, $more, $report) }
            else { $simple{$kind}->($ip, $port, $until, $report) }
        }
        turn() if $running;
    }
    say_("end $left");
    return;
}

$SIG{PIPE} = 'IGNORE';
my ($mode, @rest) = @ARGV;
if (!eval { $mode eq 'server' ? serve(@rest) : client(@rest); 1 }) {
    my $reason = $@;
    chomp $reason;
    say_('error ' . join(' ', grep { defined } $mode, @rest[0, 1]) . ": $reason");
    POSIX::_exit(1);
}
POSIX::_exit(0);
