name=target; target=42; echo "${!name}"
declare -n ref=target; ref=43; echo "$target $ref"
prefix_a=1 prefix_b=2; echo "${!prefix_@}"
set -- x y z; echo "$# $* ${@:2} ${@: -1} ${*:1:2} ${!#}"
