( trap 'echo cleaned up' EXIT; echo working ) & wait
trap 'rm -f lock; echo unlocked' EXIT
touch lock; perl -e 'exit 2' || echo "program failed with $?"
[ -e lock ] && echo locked
