# What the checks share: reading sources, blanking comments and strings,
# finding the end of a statement, and reporting.
package Lint;
use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(slurp sources code_of statement_at line_of complain warning finish);

my $errors = 0;

# Contents of a file.
sub slurp
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "could not open $file: $!\n";
	local $/;
	my $text = <$handle>;
	return $text;
}

# C sources of the library: all, or those that match a suffix pattern.
sub sources
{
	my ($suffix) = @_;
	$suffix //= qr/\.[ch]$/;
	return sort grep { $_ =~ $suffix } glob('src/*.[chly] src/*/*.[chly]');
}

# A C text with comments, and with $keep_strings false also string and character
# constants, replaced by blanks of the same length: offsets and lines stay.
sub code_of
{
	my ($text, $keep_strings) = @_;
	my $blank = sub { my ($s) = @_; $s =~ s/[^\n]/ /g; return $s; };
	$text =~ s{(/\*.*?\*/)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+')}
		{defined $1 ? $blank->($1)
			: $keep_strings ? $2
			: substr($2, 0, 1) . $blank->(substr($2, 1, -1)) . substr($2, -1)}gsex;
	return $text;
}

# The call that begins at an offset, to its closing parenthesis.
sub statement_at
{
	my ($code, $offset) = @_;
	my $depth = 0;
	pos($code) = $offset;
	while ($code =~ /\G[^()]*([()])/gc)
	{
		$depth += $1 eq '(' ? 1 : -1;
		return substr($code, $offset, pos($code) - $offset) if $depth == 0;
	}
	return substr($code, $offset);
}

# Line number of an offset.
sub line_of
{
	my ($text, $offset) = @_;
	return 1 + (substr($text, 0, $offset) =~ tr/\n//);
}

# Reports an error: "file:line: message".
sub complain
{
	print "$_[0]\n";
	$errors++;
	return;
}

# Reports what deserves a look, without failing.
sub warning
{
	print "warning: $_[0]\n";
	return;
}

# Ends the check.
sub finish
{
	exit($errors ? 1 : 0);
}

1;
