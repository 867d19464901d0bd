parse() { local OPTIND=1 o v= n= ; while getopts ':vn:h' o; do case $o in v) v=1;; n) n=$OPTARG;; h) echo help;; \?) echo "bad -$OPTARG";; :) echo "needs -$OPTARG";; esac; done; shift $((OPTIND-1)); echo "v=$v n=$n rest=$*"; }
parse -v -n 5 a b; parse -vn7 c; parse -x; parse -n; parse -h -- -v; parse
