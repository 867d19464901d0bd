seq 4 | xargs -P 4 -n 1 perl -e 'select undef,undef,undef,0.1*(5-$ARGV[0]); print "job $ARGV[0]\n"' | sort
s=$(date +%s%N); seq 4 | xargs -P 4 -I{} perl -e 'sleep 1; print "{}\n"' | sort; e=$(date +%s%N); (( (e-s)/1000000 < 2500 )) && echo side by side
seq 6 | xargs -P 3 -n 2 sh -c 'echo "$0 $1"' | sort
printf '0\n3\n0\n' | xargs -P 2 -n 1 perl -e 'exit $ARGV[0]'; echo $?
