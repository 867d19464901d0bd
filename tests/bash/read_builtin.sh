printf 'a b c\nd\\e\nlast' > f
{ read x y; echo "$x|$y"; read -r z; echo "$z"; read w; echo "$w $?"; } < f
read -r -a arr <<< "1 2 3"; echo "${arr[2]} ${#arr[@]}"
read -r -d ';' part <<< 'x y;z'; echo "$part"
read -r -n 3 three <<< abcdef; echo "$three"
while IFS=, read -r k v; do echo "$v=$k"; done <<< $'1,one\n2,two'
echo 'p q' | { read -r a b; echo "$b $a"; }; read -r none < /dev/null; echo "status $?"
