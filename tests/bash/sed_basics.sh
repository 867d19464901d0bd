printf 'one\ntwo\nthree\nfour\n' > t
sed 's/o/0/' t; sed -n '2,3p' t; sed '/two/d' t; sed 's/\(t\)\(.\)/\2\1/' t; sed -E 's/(o+)n?/<\1>/g' t
sed '2i\before' t; sed '$a\end' t; sed -n '$=' t; sed 'y/abc/xyz/' <<< aabbcc; sed -e '1d' -e '$d' t
sed 's|/|_|g' <<< /a/b/c; sed -n '/t/{s/t/T/p}' t; sed '1~2d' t; sed 's/e/E/2' <<< eee; sed q t
sed -i.bak 's/one/ONE/' t; head -1 t; head -1 t.bak; sed 's/.*/"&"/' <<< word; sed '/two/,/three/c\changed' t
