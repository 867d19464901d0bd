trap 'echo got term' TERM
trap 'echo got usr1' USR1
kill -TERM $$; echo after term
kill -USR1 $$; echo after usr1
trap '' INT; kill -INT $$; echo ignored
trap -p TERM; trap - TERM
bash -c 'trap "echo child; exit 7" TERM; kill -TERM $$; echo not'; echo $?
