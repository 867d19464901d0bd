mapfile -t lines < <(printf 'one\ntwo\nthree\n'); echo "${#lines[@]} ${lines[1]}"
readarray -t -n 2 some <<< $'a\nb\nc'; echo "${some[@]}"
mapfile -t -s 1 rest <<< $'a\nb\nc'; echo "${rest[@]}"
mapfile -d : -t parts <<< 'x:y:z'; printf '<%s>' "${parts[@]}"; echo
