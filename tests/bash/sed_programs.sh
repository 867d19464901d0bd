printf 'a\nb\nc\nd\n' | sed -n 'N;P'; printf 'x\ny\n' | sed ':a;N;$!ba;s/\n/,/g'; printf '1\n2\n3\n' | sed '1!G;h;$!d'
printf 'key = value\n# no\nother=thing\n' | sed -nE '/^#/!s/^([a-z]+) *= *(.*)$/\1:\2/p'
echo 'CamelCaseName' | sed -E 's/([A-Z])/_\l\1/g; s/^_//'; echo hello | sed 's/h/\U&/;s/l*o/\U&/'
