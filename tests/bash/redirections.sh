echo one > f; echo two >> f; cat f; cat < f | wc -l; echo err 2> e >&2; cat e; { echo a; echo b >&2; } > both 2>&1; cat both
echo x &> amp; cat amp; ls none 2>/dev/null; echo $?; exec 3> three; echo to3 >&3; exec 3>&-; cat three; exec 4< f; read -r l <&4; echo $l; read -r l <&4; echo $l; exec 4<&-
: > f; [ -s f ] || echo empty; set -o noclobber; echo y > g; (echo z > g) 2>/dev/null; echo $?; echo z >| g; cat g
cat <<< a > h; { cat; } < h; echo swap 3>&1 1>&2 2>&3 3>&- 2>/dev/null; > k; ls k; echo end > /dev/null; (cat < missing) 2>/dev/null; echo $?
