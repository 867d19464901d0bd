f() { local x=inner; echo "$x $1 $# $FUNCNAME"; return 3; }
x=outer; f a b; echo "$? $x"
fact() { (( $1 <= 1 )) && echo 1 || echo $(( $1 * $(fact $(( $1 - 1 ))) )); }; fact 6
g() { echo "${FUNCNAME[@]:0:2}"; }; h() { g; }; h
function k { local -a a=("$@"); echo "${#a[@]}"; }; k 1 "2 3" 4
set_out() { declare -g made=global; }; set_out; echo $made
unset -f f; type -t f || echo gone; p() { shift; echo "$@"; }; p 1 2 3
r() { return; }; false; r; echo $?
