depth() { local d=$1; (( d == 0 )) && { echo bottom; return 5; }; depth $((d-1)); }; depth 8; echo $?
counter=0; inc() { ((counter++)); }; inc; inc; echo $counter; outer() { local v=1; inner; echo "outer $v"; }; inner() { v=2; }; outer; echo "[${v-}]"
gcd() { local a=$1 b=$2; while (( b )); do local t=$((a % b)); a=$b; b=$t; done; echo $a; }; gcd 84 36
is_prime() { local n=$1 i; (( n < 2 )) && return 1; for ((i=2;i*i<=n;i++)); do (( n % i )) || return 1; done; }; for n in {1..30}; do is_prime $n && printf '%d ' $n; done; echo
