sleep 0.2 & p=$!; echo started; wait $p; echo "waited $?"
(sleep 0.1; exit 3) & wait $!; echo $?
for i in 3 1 2; do { sleep 0.$i; echo job $i >> order; } & done; wait; cat order; echo all
false & wait $!; echo $?; true & wait -n; echo $?; jobs | wc -l
sleep 5 & kill $!; wait $! 2>/dev/null; echo $?; wait 99999 2>/dev/null; echo $?
