declare -A m=([one]=1 [two]=2 ["a key"]=3)
m[four]=4; echo "${#m[@]}" "${m[a key]}" "${m[none]-unset}"
for k in "${!m[@]}"; do echo "$k=${m[$k]}"; done | sort
unset 'm[one]'; [[ -v m[one] ]] || echo gone; [[ -v m[two] ]] && echo there
declare -A count; for w in a b a c a b; do ((count[$w]++)); done
for k in a b c; do echo "$k ${count[$k]}"; done
