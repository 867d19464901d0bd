unset a; b=; c=value
echo "${a:-one} ${b:-two} ${c:-three}" "${a-one}|${b-two}|${c-three}"
echo "${a:+set}|${b:+set}|${c:+set}|${a+set}|${b+set}|${c+set}"
echo "${a:=given} $a"
(: "${missing:?needed}") 2>/dev/null; echo "status $?"
x=${c:+"quoted  $c"}; echo "$x"
