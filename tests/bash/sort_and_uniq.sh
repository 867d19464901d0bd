printf '10 b\n9 a\n10 a\n2 c\n' > t
sort t; sort -n t; sort -rn t; sort -k2 t; sort -k2,2 -k1,1n t; sort -u <<< $'b\na\nb'; sort -t: -k2n <<< $'a:3\nb:1'
printf 'a\na\nb\na\n' | uniq -c; printf 'a\na\nb\n' | uniq -d; printf 'a\na\nb\n' | uniq -u; sort -c t 2>/dev/null; echo $?
printf '1.5\n1.12\n-3\n' | sort -g; printf '1K\n2M\n3\n' | sort -h; printf 'v1.10\nv1.9\n' | sort -V; printf 'B\na\nC\n' | sort -f
sort t | uniq -c | sort -rn | awk '{print $1,$2}'
