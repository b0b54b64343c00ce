use strict;
use warnings;
use Socket;

# Nothing starts without the password, as a real desktop has it.
-s '/var/lib/daas/password' or die "no password";
socket(my $listener, PF_INET, SOCK_STREAM, 0) or die $!;
setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1) or die $!;
bind($listener, sockaddr_in($ENV{DAAS_PORT} || 5901, INADDR_ANY)) or die $!;
listen($listener, 16) or die $!;
$SIG{PIPE} = 'IGNORE';
while (1) {
    accept(my $peer, $listener) or next;
    syswrite($peer, "RFB 003.008\n");
    close $peer;
}
