a=(one two 'three four'); a+=(five); a[7]=eight
echo "${#a[@]} ${!a[@]} ${a[2]} ${a[-1]}"
for x in "${a[@]}"; do printf '<%s>' "$x"; done; echo
unset 'a[1]'; echo "${a[@]}" "${!a[@]}"; echo "${a[@]:1:2}"
b=("${a[@]}"); echo "${#b[@]}"; declare -p b
c=([3]=x [1]=y); echo "${c[@]} ${!c[@]}"
