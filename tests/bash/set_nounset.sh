(set -u; echo "${unset-default}"; echo "$missing"; echo never) 2>/dev/null; [ $? -ne 0 ] && echo failed
(set -u; a=(); echo "${#a[@]}" "${a[@]}"; echo ok); (set -u; echo $#; set -- x; echo $1; echo ${2:-none})
set -x 2>/dev/null; { echo traced; } 2>/dev/null; set +x; echo $-  | tr -d 'hBcs' | wc -c
