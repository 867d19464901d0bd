exec 5<<< "from five"; read -r x <&5; echo "$x"; exec 5<&-
exec 6> six; printf 'a\n' >&6; printf 'b\n' >&6; exec 6>&-; cat six
{ echo fd; } 7> seven >&7; cat seven; cat <(echo x >&2) 2>&1
