echo before
eval 'for in do' 2>/dev/null; echo "eval $?"
bash -c 'echo a; if then' 2>/dev/null; echo "child $?"
echo "after"
fi
echo never
