a='x  y'; echo $a "$a" '$a' \$a "\$a \"q\" \\ \`"
echo "a"'b'c"d e"f $'tab\there\x41\u00e9\n' $'it\'s'
printf '[%s]' "" '' a"" ; echo
echo "nested $(echo "inner $(echo "deep \"q\"")")"
b='*'; echo "$b" '*' \*
