set -- a b c d; while (( $# )); do printf '%s ' "$1"; shift; done; echo $#; set -- "x y" z; echo "$1"; set --; echo $#; set -- -a -b; echo "$@"
shift 5 2>/dev/null; echo $?; set -- {1..12}; echo "${10} ${12} $10"; f() { echo "$#:$*"; }; f "$@"; f "$*"; IFS=-; echo "$*"
