printf '3\n1\n2\n' | sort | head -1
false | true; echo "$? ${PIPESTATUS[*]}"
true | false | true; echo "${PIPESTATUS[@]}"
set -o pipefail; false | true; echo $?; set +o pipefail
! true; echo $?; ! false; echo $?
echo a | { read -r x; echo "got $x"; }; echo "outer [$x]"
seq 1 1000 | tail -n 1; yes | head -n 3
echo err >&2 | cat; { echo out; echo err >&2; } 2>&1 | sort
