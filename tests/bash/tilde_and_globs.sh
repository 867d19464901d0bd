mkdir -p d/sub; touch a.txt b.txt c.log d/e.txt d/sub/f.txt .hidden
echo *.txt; echo [ab]*; echo ?.log; echo d/*; echo *.none; echo [!a]*.txt
shopt -s nullglob; echo none: *.none; shopt -u nullglob
shopt -s globstar; echo **/*.txt; shopt -s extglob; echo !(*.txt); echo @(a|c).*; echo +([a-c]).txt
shopt -s dotglob; echo *; [ "$(echo ~)" = "$HOME" ] && echo home
