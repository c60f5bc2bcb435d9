#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# flight.pl ROOT - lets the prepared lwIP tree under ROOT tell the flight recorder what happens to
# connections: assignments of a connection's state become TCP_STATE_SET(), and some of the events that
# patches count become COUNT_PCB_EVENT() (events.h). No patch, because it is one rule for many places,
# whatever other patches do around them. A rule that fits nowhere is an error.
use strict;
use warnings;

my ($root) = @ARGV;
defined $root or die "usage: flight.pl ROOT\n";

my @events = qw(tcp_retransmits tcp_resets_in tcp_zero_window_in tcp_zero_window_out tcp_persist_probes
    tcp_keepalive_probes);
my %found;
for my $name (qw(tcp tcp_in tcp_out)) {
    my $file = "$root/src/core/$name.c";
    open my $in, '<', $file or die "$file: $!\n";
    my $text = do { local $/; <$in> };
    close $in;
    # (A listener's state never changes.)
    $found{state} += $text =~ s/^(\s*)(n?pcb)->state = ([^;=]+(?:==[^;]+)?);$/$1TCP_STATE_SET($2, $3);/mg;
    for my $event (@events) {
        $found{$event} += $text =~ s/\bCOUNT_EVENT\($event\);/COUNT_PCB_EVENT($event, pcb);/g;
    }
    $found{tcp_resets_out} += $text =~ s/(\bCOUNT_EVENT\(tcp_resets_out\);)/$1
  tcp_flight_reset_out(local_ip, remote_ip, local_port, remote_port, seqno, ackno);/g;
    my ($left) = $text =~ /^(.*\bn?pcb->state = .*)$/m;
    die "flight.pl: $name.c: a state is set in a way that is not known here: $left\n" if defined $left && $left !~ /last_state/;
    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
}
for my $rule ('state', 'tcp_resets_out', @events) {
    $found{$rule} or die "flight.pl: $rule is found nowhere\n";
}
