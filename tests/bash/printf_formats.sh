printf '%s|%5s|%-5s|%05d|%x|%X|%o|%c\n' a b c 42 255 255 8 xyz
printf '%.2f %8.3f %e %g\n' 3.14159 2.5 12345.678 0.0001
printf '%d %i %u\n' 0x10 010 7; printf '%s %s\n' a b c d e; printf '%%|%q|%b\n' "a b" 'x\ty'
printf '%*d|%-*d|%.*s\n' 5 1 5 2 2 abc; printf -v var '%03d' 7; echo $var
printf '[%s]\n'; printf '%s' no newline; echo; printf '\x41\101\u0041\n'; printf '%(%Y)T\n' 0 | head -c 3; echo
