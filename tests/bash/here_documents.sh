name=world
cat <<EOF
hello $name $(echo sub) $((1+1)) \$name
  indented "quotes" 'kept'
EOF
cat <<'EOF'
literal $name $(no) `no`
EOF
cat <<-EOF
	tabs go
		away
	EOF
cat <<A; cat <<B
first
A
second
B
tr a-z A-Z <<< "here $name"
while read -r l; do echo "[$l]"; done <<EOF
one
two
EOF
