cat <<EOF | sort -r | head -n 2
b
a
c
EOF
grep -c . <<EOF && echo counted
x
y

EOF
