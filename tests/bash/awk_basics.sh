printf 'a 1\nb 2\nc 3\n' > t
awk '{print $2, $1}' t; awk '{s+=$2} END {print s, NR, s/NR}' t; awk -F: '{print $NF}' <<< 'x:y:z'
awk '$2>1 {print NR": "$0}' t; awk 'BEGIN{OFS="-"} {$1=$1; print}' t; awk '/b/,/c/' t
awk -v n=2 'NR==n{printf "%s!%5.2f\n",$1,$2}' t; awk '{a[$1]=$2} END{for(k in a) print k,a[k]}' t | sort
awk 'BEGIN{print length("hello"), substr("hello",2,3), index("hello","l"), toupper("x"), split("a,b,c",p,","), p[2]}'
awk '{gsub(/[0-9]/,"#"); print}' t; awk 'function f(x){return x*x} BEGIN{print f(7); if (match("foobar",/o+/)) print RSTART, RLENGTH}'
