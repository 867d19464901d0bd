s=$(date +%s%N)
perl -e 'sleep 1; print "one\n"' > one & perl -e 'sleep 1; print "two\n"; exit 4' > two & p=$!
wait $p; echo "status $?"; wait; cat one two; e=$(date +%s%N); (( (e-s)/1000000 < 2000 )) && echo side by side
/usr/bin/sleep 10 & kill $!; wait $! 2>/dev/null; echo $?
/bin/sh -c 'echo from sh; exit 3'; echo $?
for i in 1 2 3; do perl -e "print $i * 2, qq{\n}" > out.$i & done; wait; cat out.*
