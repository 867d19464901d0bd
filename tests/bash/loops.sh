for i in a b c; do for j in 1 2 3; do [ $j = 2 ] && continue 2; [ $i = c ] && break 2; echo $i$j; done; done
n=0; while [ $n -lt 3 ]; do n=$((n+1)); echo "w$n"; done
until [ $n -eq 0 ]; do n=$((n-1)); done; echo $n
for f; do echo never; done; set -- p q; for f; do echo "$f"; done
while read -r a b; do echo "$b $a"; done <<< $'1 one\n2 two'
i=0; while :; do ((++i > 4)) && break; ((i % 2)) || continue; echo odd $i; done
for ((;;)); do break; done; echo end
