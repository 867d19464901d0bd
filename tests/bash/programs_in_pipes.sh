echo hello | perl -pe 's/l/L/g' | tr o 0
seq 1 100000 | perl -ne '$s+=$_; END{print "$s\n"}'
perl -e 'print "x\n" x 100000' | head -n 2
perl -e 'print STDERR "err\n"; print "out\n"; exit 3' 2>/dev/null; echo $?
perl -e 'print "line $_\n" for 1..3' | while read -r a b; do echo "$b $a"; done
x=$(perl -e 'print "captured"'); echo "$x"; perl -e 'print <STDIN>' < /dev/null; perl -e 'print while <STDIN>' <<< here; perl -e 'kill 15, $$'; echo $?
FOO=bar perl -e 'print "$ENV{FOO}\n"'; export BAZ=1; perl -e 'print "$ENV{BAZ}\n"'; mkdir d; (cd d; perl -MCwd -e 'print getcwd =~ m{/d$} ? "in d\n" : "no\n"')
