# An OpenSSH server of a test's own: on a free port of 127.0.0.1, as the user
# who runs the test, with a host key and a file of authorized keys of its own.
#
#	use SshServer;
#	my $ssh = SshServer->new;                  # dies where there is no sshd
#	$ssh->authorize($public_key, ...);         # these and no others
#	$ssh->port, $ssh->user, $ssh->host_key;
#	$ssh->kill; $ssh->start; $ssh->new_host_key; $ssh->configure('AllowTcpForwarding no');
package SshServer;
use strict;
use warnings;

use IO::Socket::INET;
use IPC::Run;
use POSIX ();
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

my @servers;

# Where sshd is; it insists on being called by its full path.
sub program
{
	my ($path) = grep { -x } map { "$_/sshd" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
	return $path;
}

# Starts a server.
sub new
{
	my ($class) = @_;
	my $self = bless {
		program => program() // die("there is no sshd\n"),
		directory => PostgreSQL::Test::Utils::tempdir('ssh'),
		user => scalar(getpwuid($<)),
		port => IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport,
		lines => '',
	}, $class;
	$self->authorize;
	$self->new_host_key;
	$self->start;
	push @servers, $self;
	return $self;
}

sub port { return $_[0]->{port} }
sub user { return $_[0]->{user} }

# Replaces a file.
sub write_file
{
	my ($self, $name, $text) = @_;
	open(my $handle, '>', "$self->{directory}/$name") or die "$name: $!\n";
	print $handle $text;
	close $handle or die "$name: $!\n";
	chmod 0600, "$self->{directory}/$name";
	return;
}

# Lets in who has one of these keys, and nobody else.
sub authorize
{
	my ($self, @keys) = @_;
	$self->write_file('authorized_keys', join('', map { "$_\n" } @keys));
	return;
}

# Gives the server another host key from its next start on.
sub new_host_key
{
	my ($self) = @_;
	my $file = "$self->{directory}/host_key";
	unlink $file, "$file.pub";
	IPC::Run::run([ 'ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', $file ]) or die "ssh-keygen failed\n";
	return;
}

# Its public host key, type and base64.
sub host_key
{
	my ($self) = @_;
	return join ' ', (split ' ', PostgreSQL::Test::Utils::slurp_file("$self->{directory}/host_key.pub"))[ 0, 1 ];
}

# Further lines for sshd_config, from the next start on.
sub configure
{
	my ($self, $lines) = @_;
	$self->{lines} = $lines;
	return;
}

# What the server has logged.
sub logged
{
	my ($self) = @_;
	return PostgreSQL::Test::Utils::slurp_file("$self->{directory}/log");
}

# Starts the server and waits until it answers.
sub start
{
	my ($self) = @_;
	my $directory = $self->{directory};
	$self->write_file('config', <<"CONF");
Port $self->{port}
ListenAddress 127.0.0.1
HostKey $directory/host_key
AuthorizedKeysFile $directory/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
$self->{lines}
CONF
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0)
	{
		setpgrp(0, 0);
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>>', "$directory/log");
		open(STDERR, '>>', "$directory/log");
		exec($self->{program}, '-D', '-e', '-f', "$directory/config") or POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	for (1 .. 200)
	{
		return if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port});
		usleep(50_000);
	}
	die "sshd does not answer\n" . $self->logged;
}

# Kills the server and, as their process group, all its sessions.
sub kill
{
	my ($self) = @_;
	return if !$self->{pid};
	CORE::kill('KILL', -$self->{pid}, $self->{pid}, $self->sessions);
	waitpid $self->{pid}, 0;
	$self->{pid} = undef;
	return;
}

# Process ids of its sessions, which lead process groups of their own.
sub sessions
{
	my ($self) = @_;
	my %parent;
	foreach my $stat (glob '/proc/[0-9]*/stat')
	{
		open(my $handle, '<', $stat) or next;
		my ($pid, $parent) = (<$handle> // '') =~ /^(\d+) \(.*\) [A-Z] (\d+)/s or next;
		$parent{$pid} = $parent;
	}
	my %ours = ($self->{pid} // 0 => 1);
	my $found = 1;
	while ($found)
	{
		$found = 0;
		foreach my $pid (keys %parent)
		{
			next if $ours{$pid} || !$ours{ $parent{$pid} };
			$ours{$pid} = $found = 1;
		}
	}
	delete $ours{ $self->{pid} // 0 };
	return keys %ours;
}

# No server outlives its test.
END
{
	my $status = $?;
	$_->kill foreach @servers;
	$? = $status;
}

1;
