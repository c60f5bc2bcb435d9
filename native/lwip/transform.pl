#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# transform.pl VARS ROOT - rewrites the lwIP tree under ROOT so that every variable listed in VARS
# becomes part of the instance template (instance_var.h):
#   a declaration or definition   static u16_t tcp_port = 1;
#     becomes                     INSTANCE_VAR static u16_t template_tcp_port = 1;
#   a use                         tcp_port++;        becomes   INSTANCE(tcp_port)++;
# Comments and strings are left alone, and so are members (x.flags, x->flags). Every declared name is
# renamed, so a use that was overlooked does not compile; a name that is also a parameter is an error
# here, one that is also a local variable or a field is a syntax error there. A listed variable that
# is never declared is an error too.
use strict;
use warnings;

my ($vars, $root) = @ARGV;
defined $root or die "usage: transform.pl VARS ROOT\n";

my (%global, %of_file, %declared);
open my $in, '<', $vars or die "$vars: $!\n";
while (<$in>) {
    s/#.*//;
    next unless /^\s*(\S+?):\s*(.*?)\s*$/;
    for my $name (split ' ', $2) {
        if ($1 eq 'global') { $global{$name} = 1 } else { $of_file{$1}{$name} = 1 }
    }
}
close $in;

my @files = split /\n/, `cd '$root' && find src test/unit -name '*.[ch]' | LC_ALL=C sort`;
for my $file (@files) {
    my %names = (%global, %{ $of_file{$file} // {} });
    my $any = join '|', map quotemeta, sort keys %names;
    open my $source, '<', "$root/$file" or die "$file: $!\n";
    my $text = do { local $/; <$source> };
    close $source;
    next unless $text =~ /\b(?:$any)\b/;
    my $result = rewrite_text($file, $text, \%names);
    open my $out, '>', "$root/$file" or die "$file: $!\n";
    print $out $result;
    close $out or die "$file: $!\n";
}
for my $name (sort keys %global) {
    $declared{$name} or die "transform.pl: $name is not declared anywhere\n";
}
for my $file (sort keys %of_file) {
    for my $name (sort keys %{ $of_file{$file} }) {
        $declared{"$file $name"} or die "transform.pl: $name is not declared in $file\n";
    }
}

sub rewrite_text {
    my ($file, $text, $names) = @_;
    my @out;            # pieces of the result
    my $start;          # index in @out where the current statement begins, undef: not begun
    my $first = '';     # its first word
    my ($depth, $parens, $before) = (0, 0, '');
    my @conditions;     # depth at each open #if, so that #else branches count alike
    my $fields = 0;     # depth of the outermost open brace of a struct, union or enum

    pos($text) = 0;
    while (pos($text) < length $text) {
        if ($text =~ m{\G(\s+|//[^\n]*|/\*.*?\*/)}gcs) {
            push @out, $1;
        } elsif ($text =~ m{\G(#(?:[^\n\\]|\\.)*)}gcs && line_begins(\@out)) {
            my $directive = $1;
            if ($directive =~ /^#\s*if/) { push @conditions, $depth }
            elsif ($directive =~ /^#\s*el/) { $depth = $conditions[-1] }
            elsif ($directive =~ /^#\s*endif/) { pop @conditions }
            elsif ($directive =~ /^#\s*define/) { $directive = rewrite_define($directive, $names) }
            push @out, $directive;
        } elsif ($text =~ m{\G("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')}gcs) {
            push @out, $1;
            $before = 'string';
        } elsif ($text =~ m{\G([A-Za-z_]\w*)}gc) {
            my $word = $1;
            if ($word =~ /^PACK_STRUCT_(?:BEGIN|END)$/) { push @out, $word; next }
            if (!defined $start) { $start = @out; $first = $word }
            if ($names->{$word} && $before ne '.' && $before ne '->' && !$fields) {
                if ($depth == 0 || $first eq 'static' || $first eq 'extern') {
                    $parens == 0 or die "transform.pl: $file: $word is also a parameter\n";
                    my $mark = $first eq 'static' ? 'INSTANCE_VAR' : 'INSTANCE_VAR_GLOBAL';
                    $out[$start] = "$mark $out[$start]" unless $out[$start] =~ /^INSTANCE_VAR/;
                    $declared{ $global{$word} ? $word : "$file $word" } = 1;
                    push @out, "template_$word";
                } else {
                    push @out, "INSTANCE($word)";
                }
            } else {
                push @out, $word;
            }
            $before = $word;
        } elsif ($text =~ m{\G(->|0[xX]\w+|\d[\w.]*|.)}gcs) {
            my $token = $1;
            if ($token eq '{') {
                $depth++;
                $fields ||= $depth if $first =~ /^(?:struct|union|enum|typedef)$/ && $before !~ /^[)=]$/;
            }
            elsif ($token eq '}') { $depth--; $fields = 0 if $depth < $fields }
            elsif ($token eq '(') { $parens++ }
            elsif ($token eq ')') { $parens-- }
            push @out, $token;
            $before = $token;
            if ($token eq ';' && $parens == 0 || $token eq '{' || $token eq '}') {
                undef $start;
                $first = '';
            }
        }
    }
    $depth == 0 or die "transform.pl: $file: braces do not match\n";
    return join '', @out;
}

sub line_begins {
    my ($out) = @_;
    for my $piece (reverse @$out) {
        return 1 if $piece =~ /\n[ \t]*\z/;
        return 0 if $piece !~ /^\s*\z/ && $piece !~ m{^/\*};
    }
    return 1;
}

sub rewrite_define {
    my ($directive, $names) = @_;
    my $result = '';
    my $before = '';
    while ($directive =~ m{\G(/\*.*?\*/|//[^\n]*|"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|->|\s+|.)}gcs) {
        my $token = $1;
        $result .= $names->{$token} && $before ne '.' && $before ne '->' ? "INSTANCE($token)" : $token;
        $before = $token unless $token =~ m{^(?:\s|/\*)};
    }
    return $result;
}
