s='hello World'
echo "${s^} ${s^^} ${s,} ${s,,} ${s^^[lo]}"
a=(one two three); echo "${a[@]^}" "${a[@]/o/0}" "${a[*]%e}"
q="it's a \$test"; printf '%s\n' "${q@Q}"
