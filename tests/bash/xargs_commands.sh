printf 'a b\nc\n' | xargs echo; printf 'a b\nc\n' | xargs -n1 echo x; printf 'a b\nc\n' | xargs -I{} echo '<{}>'
printf 'x y\0z\0' | xargs -0 -n1 echo; seq 5 | xargs -n2; printf '"q r" s\\ t\n' | xargs -n1; : | xargs -r echo never; : | xargs echo once
echo 1 2 3 | xargs -L1 echo line; printf 'a,b' | xargs -d, -n1 echo; printf 'f1\nf2\n' | xargs touch; ls f1 f2
echo x | xargs false; echo $?; echo x | xargs sh -c 'exit 255' 2>/dev/null; echo $?; echo 3 | xargs -I N sh -c 'echo $((N*2))'; echo a | xargs nosuchcommand 2>/dev/null; echo $?
