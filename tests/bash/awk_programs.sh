printf 'k1,5\nk2,7\nk1,3\n' | awk -F, '{s[$1]+=$2; c[$1]++} END {for (k in s) printf "%s sum=%d avg=%.1f\n", k, s[k], s[k]/c[k]}' | sort
seq 1 15 | awk '{o=""; if($1%3==0)o=o"Fizz"; if($1%5==0)o=o"Buzz"; print o?o:$1}' | tr '\n' ' '; echo
awk 'BEGIN { while ((getline line < "/dev/null") > 0) n++; print n+0; printf "%c%c\n", 65, "BC"; print 1e3, 0.1+0.2, 2^8, 7%4; exit 3 }'; echo $?
printf 'a b\n\nc d\n' | awk 'NF{print NF, $NF; next} {print "blank"}'
awk 'BEGIN{print substr("abc",0), -3%2, int(-2.7), sprintf("%03d|%-4s|", 7, "x")}'
