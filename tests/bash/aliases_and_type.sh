shopt -s expand_aliases
alias hi='echo hello'
hi there
type -t hi cd if; f() { :; }; type -t f; unalias hi; type -t hi || echo none; command -v cd; type -t nosuch; echo $?; builtin echo built; command echo plain
