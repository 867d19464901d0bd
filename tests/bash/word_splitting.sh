v='a:b c:d  e'; for w in $v; do printf '<%s>' "$w"; done; echo
IFS=:; for w in $v; do printf '<%s>' "$w"; done; echo
set -- $v; echo "$#"; IFS=,; set -- a b c; echo "$*"; unset IFS
x=' lead and trail '; printf '<%s>' $x; echo
IFS=: read -r u p _ rest <<< 'root:x:0:0:root:/root'; echo "$u $p $rest"
