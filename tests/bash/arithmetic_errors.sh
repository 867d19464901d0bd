( echo $((1/0)) ) 2>/dev/null; echo "status $?"
x=abc; abc=7; echo $((x + 1))
unset u; echo $((u + 1)); echo $(( 08 )) 2>/dev/null; echo after
