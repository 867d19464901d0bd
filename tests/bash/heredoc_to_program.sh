perl <<'P'
my %h = (b=>2, a=>1);
print "$_=$h{$_}\n" for sort keys %h;
P
out=$(perl - x y <<'P'
print "args @ARGV\n";
P
); echo "$out"
cat > s.pl <<'P'
#!/usr/bin/env perl
print "script @ARGV\n"; exit 2;
P
chmod +x s.pl; ./s.pl 1 2; echo $?
