diff <(printf 'a\nb\n') <(printf 'a\nc\n'); echo $?
cat <(echo one) <(echo two)
while read -r n; do s=$((s+n)); done < <(seq 1 4); echo "$s"
paste <(seq 3) <(seq 4 6)
tee >(wc -l > count) < <(seq 5) >/dev/null; sleep 0.2; cat count
